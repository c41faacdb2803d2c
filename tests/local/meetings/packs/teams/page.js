// Synthetic, from the fact sheets of 2026-11-23 and 2026-11-25. Own markup around Fluent UI's published controls (controls.js);
// nothing of Microsoft's client is copied. An element carries the attributes that one source saw on it; which, is the variant.
const {Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, FluentProvider, Input, Radio,
  RadioGroup, Switch, createElement: h, createRoot, webLightTheme} = globalThis.teamsControls;

const tid = name => ({'data-tid': name});
const pick = (context, ...forms) => forms[context.variant % forms.length];

// What a page remembers. Microphone and camera are on until somebody turns them off.
let redraw = () => {};
const remember = (context, key, value) => { context.set(key, value); redraw(); };
const isOn = (context, device) => context.get(device) ?? true;
const names = context => context.name || context.people[0].name;

// Innocent things with the looks of an error.
const decoys = () => h('div', {...tid('network-error-hint')},
  h('div', {role: 'alert'}, 'Your internet connection is unstable.'),
  h('div', {...tid('device-retry-hint')}, 'Looking for devices again.'),
  h(Button, {size: 'small'}, 'OK'));

// ---- Before the pre-join page.
const launcher = (context, ...forms) => {
  const {tag = 'button', text, ...attributes} = pick(context, ...forms);
  return h('section', {}, h('h1', {}, 'How do you want to join?'), h('button', {}, 'Open the app'),
    h(tag, {...attributes, onClick: () => context.next()}, text));
};
const loading = context => h('div', {id: 'loading-screen', style: {height: 300}}, 'Loading',
  // The silent probe for somebody who is signed in; it fails for every guest.
  h('iframe', {src: `${context.frameAddress('probe')}&prompt=none`, width: 20, height: 20, title: 'probe'}));
const mediaQuestion = (context, answered) => h(Dialog, {open: true, modalType: 'modal'}, h(DialogSurface, {}, h(DialogBody, {},
  h(DialogTitle, {}, "Are you sure you don't want audio or video?"),
  h(DialogContent, {}, 'You can change this later.'),
  h(DialogActions, {}, h(Button, {onClick: answered}, 'Continue without audio or video')))));

// ---- The pre-join page.
const deviceSwitch = (context, device, label, attributes) =>
  h(Switch, {...attributes, label, checked: isOn(context, device), onChange: (_, {checked}) => remember(context, device, checked)});
const microphone = context => deviceSwitch(context, 'microphone', 'Microphone', pick(context, tid('toggle-mute'),
  {title: isOn(context, 'microphone') ? 'Mute mic' : 'Unmute mic'}, tid('toggle-mute'), tid('toggle-mute')));
const camera = context => {
  const on = isOn(context, 'camera');
  if (context.get('camera button')) {
    return h('button', {role: 'switch', 'aria-label': 'Camera', 'aria-checked': on, onClick: () => remember(context, 'camera', !on)},
      'Video');
  }
  return deviceSwitch(context, 'camera', 'Video', pick(context, tid('toggle-video'),
    {title: on ? 'Turn camera off' : 'Turn camera on'}, tid('toggle-video'), tid('toggle-video')));
};
const deviceButton = (context, device, [on, off]) => h('button',
  {...(isOn(context, device) ? on : off), onClick: () => remember(context, device, !isOn(context, device))}, '\u25cf');
const lightDevices = context => [
  deviceButton(context, 'microphone', pick(context,
    [{'aria-label': 'Mute microphone'}, {'aria-label': 'Unmute microphone'}],
    [{title: 'Mute mic'}, {title: 'Unmute mic'}],
    [{'aria-label': 'Mute microphone'}, {'aria-label': 'Unmute microphone'}],
    [{title: 'Mute'}, {title: 'Unmute'}])),
  deviceButton(context, 'camera', pick(context,
    [{'aria-label': 'Turn camera off'}, {title: 'Turn camera on'}],
    [{'aria-label': 'Turn off camera'}, {title: 'Turn camera on'}],
    [{'aria-label': 'Turn off video'}, {title: 'Turn camera on'}],
    [{'aria-label': 'Turn camera off'}, {title: 'Turn camera on'}])),
  h('p', {}, isOn(context, 'microphone') ? 'Your microphone is on' : 'Your microphone is muted'),
  h('p', {}, isOn(context, 'camera') ? '' : 'Your camera is turned off'),
];
const audioChoice = context => h(RadioGroup, {value: context.get('audio') ?? 'computer',
  onChange: (_, {value}) => remember(context, 'audio', value)},
  h(Radio, {value: 'computer', label: 'Computer audio'}), h(Radio, {value: 'phone', label: 'Phone audio'}),
  h(Radio, {value: 'none', label: "Don't use audio"}));
const nameField = context => h(Input, {...pick(context,
  {...tid('prejoin-display-name-input'), placeholder: 'Type your name'},
  {...tid('prejoin-display-name-input')},
  {...tid('prejoin-display-name-input'), id: 'prejoin-display-name'},
  {placeholder: 'Enter name'}), value: context.name,
  onChange: (_, {value}) => { context.name = value; redraw(); }});
const join = context => {
  if (!context.name) return;
  const passcode = new URLSearchParams(location.search).get('p');
  if (passcode !== null && passcode !== context.expected) context.go('not-found');  // nothing asks for it here
  else context.next();
};
const joinButton = (context, disabled = false) => {
  const {text, ...attributes} = pick(context,
    {...tid('prejoin-join-button'), id: 'prejoin-join-button', text: 'Join now'},
    {...tid('prejoin-join-button'), text: 'Ask to join'},
    {id: 'prejoin-join-button', text: 'Join meeting'},
    {text: 'Join'});
  return h(Button, {...attributes, appearance: 'primary', disabled, onClick: () => join(context)}, text);
};
const cancelButton = context => h(Button, {...pick(context, tid('prejoin-cancel-button'), {}), onClick: () => context.left()}, 'Cancel');
const preJoinScreen = (context, ...parts) => h('div', pick(context, tid('calling-prejoin-screen'), {}, {}, {}),
  h('div', pick(context, tid('calling-prejoin-render-content-container'), tid('calling-prejoin-render-content-container'), {}, {}),
    h('div', pick(context, tid('prejoin-header-content'), {}, {}, tid('prejoin-header-content')), h('h1', {}, context.get('subject') ?? 'Planning')),
    ...parts));
const preJoin = context => preJoinScreen(context, nameField(context), microphone(context), camera(context), audioChoice(context),
  h(Switch, {...tid('speaker-toggle'), label: 'Speaker', defaultChecked: true}), joinButton(context), decoys());
const lightPreJoin = context => preJoinScreen(context, nameField(context), ...lightDevices(context), joinButton(context), decoys());
const prepared = (draw, values) => context => {
  if (!context.get('prepared')) {
    const {name, ...devices} = values;
    if (name) context.name = context.people[0].name;
    Object.entries(devices).forEach(([key, value]) => context.set(key, value));
    context.set('prepared', true);
  }
  return draw(context);
};

// ---- The lobby.
const lobby = context => preJoinScreen(context, h('h2', {}, pick(context, 'Someone will let you in soon',
  'Someone will let you in shortly', "You're in the lobby", 'Waiting for someone to let you in')),
  joinButton(context, true), cancelButton(context), decoys());
const lobbyText = (context, ...texts) => h('section', {}, h('h2', {}, pick(context, ...texts)), cancelButton(context), decoys());

// ---- The call.
const tileName = (context, person) => person.own ? names(context) + pick(context, ' (Guest)', ' (Unverified)', '', ' (External)')
  : person.name + (person.name.startsWith('G') ? pick(context, ' (External)', ' (Unverified)', ' (Guest)', '') : '');
const outline = speaking => h('div', {...tid('voice-level-stream-outline'), className: speaking ? 'vdi-frame-occlusion' : '',
  style: {width: 160, height: 90, border: '1px solid'}});
const tile = (context, person) => h('div', {key: person.name, 'data-stream-type': 'Video', ...tid(tileName(context, person)),
  style: {display: 'inline-block'}}, outline(person.speaking), tileName(context, person));
const sharedScreen = () => h('div', {key: 'screen', 'data-stream-type': 'ScreenSharing', ...tid('Ada Lovelace'),
  style: {display: 'inline-block', width: 200, height: 100}}, 'Slides');
const sound = context => h('audio', {key: 'sound', ref: element => element && context.media.attach(element)});
const picture = context => h('video', {key: 'picture', muted: true, width: 160, height: 90,
  ref: element => element && context.media.attach(element)});
const stage = (context, content) => h('div', pick(context, tid('callingScreen'), tid('callingScreen'), {}, {}),
  h('div', pick(context, tid('modern-stage-wrapper'), {}, tid('modern-stage-wrapper'), {}), content));
const badge = count => count === null ? null : h('span', tid('toolbar-item-badge'), String(count));
const leaveButton = context => h('button', {...pick(context,
  {id: 'hangup-button', ...tid('hangup-main-btn'), 'aria-label': 'Leave'},
  {...tid('hangup-main-btn')},
  {id: 'hangup-button'},
  {'aria-label': 'Leave (Ctrl+Shift+H)'}), onClick: () => context.left()}, pick(context, 'Leave', '\u260e', '\u260e', 'Leave'));
const peopleButton = (context, count) => {
  const inside = pick(context, true, true, false, true);
  return [
    h('button', {key: 'people', ...pick(context, {id: 'roster-button'}, {'aria-label': 'People'}),
      onClick: () => remember(context, 'roster', !context.get('roster'))}, 'People', inside ? badge(count) : null),
    inside ? null : h('span', {key: 'badge'}, badge(count)),
  ];
};
const chatButton = context => h('button', {...pick(context, {id: 'chat-button'}, {id: 'chat-button'}, tid('chat-button'), {id: 'chat-button'}),
  onClick: () => remember(context, 'chat', !context.get('chat'))}, 'Chat', context.get('unread') ? badge(context.get('unread')) : null);
const toolbar = (context, count, chat = true) => h('div', {...tid('calling-toolbar'), style: {padding: 8}},
  chat ? chatButton(context) : null, ...peopleButton(context, count), h('button', {id: 'raisehands-button'}, 'Raise'),
  h('button', {}, 'React'), h('button', {id: pick(context, 'custom-view-button', 'view-mode-button')}, 'View'),
  h('button', {id: 'video-button', 'aria-label': 'Turn camera on'}, 'Camera'),
  h('button', {id: 'microphone-button', ...tid('toggle-mute'), 'aria-label': 'Unmute microphone'}, 'Mic'),
  h('button', {id: 'callingButtons-showMoreBtn'}, 'More'), leaveButton(context));
const roster = context => {
  if (!context.get('roster')) return null;
  return h('div', {role: 'tree', ...pick(context, {'aria-label': 'Attendees'}, {})}, context.people.map(person => {
    const own = tileName(context, person);
    return pick(context,
      h('div', {key: own, 'data-cid': 'roster-participant', 'aria-label': `${own}, muted`}, own),
      h('div', {key: own, ...tid('roster-participant')}, own),
      h('div', {key: own, ...tid(`participantRosterListItem-${own}`)}, own),
      h('div', {key: own, ...tid(`participantsInCall-${own}`)}, h('span', {title: own}, own)));
  }));
};
// What a field holds is what it was heard to be told.
const chatField = context => h('div', {contentEditable: true, suppressContentEditableWarning: true, style: {minHeight: 30, width: 300, border: '1px solid'},
  ...pick(context, {}, {'aria-label': 'Type a message'}, {}, {}), onInput: event => context.set('draft', event.currentTarget.textContent),
  ref: element => { if (element && element.textContent !== (context.get('draft') ?? '')) element.textContent = context.get('draft') ?? ''; }});
const chatEntry = (author, key, ...texts) => h('div', {key, ...tid('chat-pane-item')}, h('div', tid('chat-pane-message'),
  h('span', tid('message-author-name'), author), h('time', {dateTime: '2026-11-25T09:00'}, '9:00'),
  texts.map(each => h('p', {key: each, ...tid('messageBodyContent')}, each))));
const chatPane = (context, ...entries) => !context.get('chat') ? null : h('aside', {}, ...entries,
  ...context.said.map((each, index) => chatEntry(names(context), `said ${index}`, each)),
  pick(context, true, false, false, false) ? h('div', tid('ckeditor'), chatField(context)) : chatField(context),
  h('button', {...pick(context, tid('newMessageCommands-send'), {name: 'send'}),
    onClick: () => { if (context.get('draft')) { context.say(context.get('draft')); redraw(); } }}, '\u27a4'));
const call = (context, content, ...more) => h('div', {}, toolbar(context, context.get('unread') ? null : context.people.length), stage(context, content), roster(context),
  ...(more.length ? more : [chatPane(context)]), decoys(), sound(context));
const inCall = context => call(context, [...context.people.map(person => tile(context, person)), sharedScreen(), picture(context)]);
const inCallWithoutNames = context => call(context, context.people.map((person, index) => h('div', {key: index}, outline(person.speaking))));
const chat = context => chatPane(context, chatEntry('Ada Lovelace', 'Ada', 'The meeting has ended without minutes last time.',
  "Then it said: You've been removed from this meeting.", 'Sorry, but you were denied access to the meeting.',
  "We couldn't find a meeting matching this ID and passcode.", "And once: we couldn't connect you", 'An encryption error occurred', 'Do not worry: someone will let you in soon.',
  'It says: Someone will let you in when the meeting starts.'));
const inCallChat = context => call(context, context.people.map(person => tile(context, person)), chat(context));
// Tiles carry their people's names where screens carry their own.
const NAMES = ['calling-retry-screen', 'calling-prejoin-screen', 'calling-prejoin-render-content-container', 'prejoin-header-content',
  'anon-meeting-end-screen-rejoin-button'];
const inCallNames = context => inCall({...context, people: [...context.people, ...NAMES.map(name => ({name, own: false, speaking: false}))]});
const inCallNoChat = context => h('div', {}, toolbar(context, context.people.length, false),
  stage(context, context.people.map(person => tile(context, person))), decoys(), sound(context));
const alone = context => h('div', {}, toolbar(context, 1), stage(context, [tile(context, context.people[0]),
  h('p', {key: 'alone'}, pick(context, "You're the only one here", "You're the only one in this meeting", 'No one else is here',
    'Waiting for others to join'))]), roster(context), decoys(), sound(context));

// ---- Out, or never in.
const retryForm = () => [
  h(Input, {key: 'code', ...tid('meeting-code-input'), defaultValue: '301234560010'}),
  h(Input, {key: 'passcode', ...tid('meeting-passcode-input'), defaultValue: 'xxxxxx'}),
  h(Button, {key: 'rejoin', ...tid('calling-retry-rejoinbutton'), disabled: true}, 'Rejoin'),
  h(Button, {key: 'cancel', ...tid('calling-retry-cancelbutton')}, 'Dismiss'),
];
const retryScreen = ({screen = true, title, titleId = true, description, descriptionId = true}) =>
  h('div', screen ? tid('calling-retry-screen') : {},
    title ? h('h1', titleId ? {id: 'calling-retry-screen-title'} : {}, title) : null,
    description ? h('p', descriptionId ? {id: 'calling-retry-screen-description'} : {}, description) : null, ...retryForm());
const REMOVED = "You've been removed from this meeting";
const removedTitle = context => retryScreen({title: REMOVED, ...pick(context, {}, {titleId: false}, {screen: false}, {})});
const removed = context => pick(context, retryScreen({title: REMOVED}), message('Removed from meeting'),
  message('Another participant removed you from the call.'), message(REMOVED));
const notFound = context => pick(context,
  retryScreen({description: "We couldn't find a meeting matching this ID and passcode."}),
  message('Looks like the meeting URL is incorrect. Please check the URL and try again.'),
  message('Invalid meeting ID or passcode'),
  message("We couldn't find a meeting matching this ID and passcode."));
const otherRetry = context => retryScreen(pick(context, {title: 'Something happened', description: 'Check what you typed.'},
  {title: 'Something happened', titleId: false}, {screen: false, description: 'Check what you typed.'},
  {screen: false, title: 'Something happened'}));
const message = (...texts) => h('section', {}, texts.map(text => h('p', {key: text}, text)), decoys());
const endPage = (button, ...texts) => h('section', {}, texts.map(text => h('h1', {key: text}, text)),
  h(Button, button ? tid('anon-meeting-end-screen-rejoin-button') : {}, 'Rejoin'), decoys());
const endedText = context => pick(context, 'Meeting ended', 'Call ended', 'The meeting has ended', 'You left the meeting');
const endAddress = context => {
  const path = pick(context, '/postmeeting', '/meetingended', '/calling/end');
  if (location.pathname !== path) history.replaceState(null, '', path);
  return message('How was the quality?');
};
// The site leads the tab there; here it is a frame, so that the document stays.
const loginHost = context => h('iframe', {width: 600, height: 300, title: 'Sign in',
  src: context.frameAddress(pick(context, 'login-online', 'login-microsoft', 'login-live', 'login-windows'))});

const pages = {
  launcher: context => launcher(context, {text: 'Continue'}, {'aria-label': 'Join meeting from this browser', text: 'Join'},
    {tag: 'div', text: 'Continue on this browser'}, {...tid('joinOnWeb'), text: 'Go'}),
  'launcher-other': context => launcher(context, {text: 'Continue on the web'}, {'aria-label': 'Continue on this browser', text: 'Go'},
    {'aria-label': 'Join on this browser', text: 'Go'}, {tag: 'div', text: 'Join from browser'}),
  loading,
  'media-question': context => mediaQuestion(context, () => context.next()),
  'permission-missing': () => message('Select Allow to let Microsoft Teams use your mic and camera'),
  'pre-join': preJoin,
  'pre-join-no-audio': prepared(preJoin, {audio: 'none'}),
  'pre-join-muted': prepared(preJoin, {microphone: false}),
  'pre-join-camera-button': prepared(preJoin, {microphone: false, 'camera button': true}),
  'pre-join-devices-off': prepared(preJoin, {microphone: false, camera: false}),
  'pre-join-ready': prepared(preJoin, {microphone: false, camera: false, name: true}),
  'pre-join-subject': context => prepared(preJoin, {microphone: false, camera: false, name: true, subject: pick(context,
    'Post-mortem: why the call ended early', 'Removed from meeting series: next steps', 'Meeting ended too soon: a review',
    'The meeting has ended, and now?')})(context),
  'light-pre-join': lightPreJoin,
  'light-pre-join-muted': prepared(lightPreJoin, {microphone: false}),
  'media-question-again': context => h('div', {}, preJoin(context), mediaQuestion(context, () => context.go('in-call'))),
  'media-question-over-call': context => h('div', {}, inCall(context), mediaQuestion(context, () => context.go('in-call'))),
  joining: () => h('div', {id: 'loading-screen', style: {height: 300}}, 'Connecting'),

  lobby,
  'lobby-short': context => lobbyText(context, 'Someone will let you in soon', 'Someone will let you in shortly',
    'Waiting for someone to let you in'),
  'lobby-text': context => lobbyText(context, 'Please wait until someone admits you', 'Wait for someone to admit you',
    'Waiting to be admitted', 'Your request to join has been sent'),
  'lobby-other-text': context => lobbyText(context, 'Someone in the meeting should let you in soon', "You're in the lobby"),
  'lobby-quiet': context => preJoinScreen(context, joinButton(context, true), cancelButton(context), decoys()),
  // Back in the lobby, with what is left of the call.
  'lobby-leftovers': context => h('div', {}, lobby(context), toolbar(context, 3)),
  'lobby-not-started': context => lobbyText(context, `Hi, ${names(context)}. Someone will let you in when the meeting starts.`),

  'in-call': inCall,
  'pre-join-leftovers': context => h('div', {}, preJoin(context), inCall(context)),
  'in-call-chat': prepared(inCallChat, {chat: true}),
  'in-call-names': inCallNames,
  'in-call-unread': prepared(inCallWithoutNames, {unread: 1}),
  'in-call-no-chat': inCallNoChat,
  'in-call-without-names': inCallWithoutNames,
  'in-call-roster': prepared(inCallWithoutNames, {roster: true}),
  'in-call-alone': alone,

  denied: context => message(pick(context, 'Sorry, but you were denied access to the meeting.',
    'You asked to join, but you were denied access to the meeting.', 'Your request to join was declined.',
    'You were not granted entry in the call.')),
  'removed-from-lobby': removed,
  'not-found': notFound,
  'retry-other': otherRetry,
  over: context => pick(context, endPage(true), endPage(false, 'Meeting ended'), endPage(true, 'The meeting has ended'),
    endPage(false, 'Call ended')),
  'sign-in': context => message(pick(context, 'We need to verify your info before you can join',
    'To join, sign in or use Teams on the web', 'You need to be signed in to Teams to access this meeting. Sign in and try again.',
    "If you're not signed in to a Teams (work or school) account, sign in first.")),
  'sign-in-other': context => message(pick(context, 'Sign in to Teams to join, or contact the meeting organizer',
    'To join this Teams meeting, you need to be signed in to an account.',
    'To join this meeting, sign in again or select another account.',
    'Due to org policy, you need to sign in or use Teams on the web to join this meeting.')),
  'sign-in-form': () => h('form', {}, h('input', {name: 'loginfmt', type: 'email'}), h('input', {type: 'submit', value: 'Next'})),
  'login-host': loginHost,
  'not-begun': () => message(
    'External participants are not permitted to join before the event begins. Please join after the event has started.'),
  captcha: context => pick(context, h('div', {}, h('div', {...tid('HIP-Captcha-Image'), style: {width: 200, height: 60}}, 'w7 Kp')),
    message("Verify you're a real person")),
  'cannot-connect': context => preJoinScreen(context, h('p', {}, "Sorry, we couldn't connect you."), joinButton(context)),
  encrypted: context => pick(context, h('div', tid('calling-e2ee-end-screen'), 'An encryption error occurred'),
    message('An encryption error occurred')),

  removed,
  'removed-leftovers': context => h('div', {}, removedTitle(context), toolbar(context, 3)),
  'denied-later': context => message(pick(context, 'Sorry, but you were denied access to the meeting.',
    'You asked to join, but you were denied access to the meeting.', 'Your request to join was declined.',
    'You were not granted entry in the call.')),
  lost: () => message("Sorry, we couldn't connect you."),
  ended: context => endPage(false, endedText(context)),
  'ended-button': context => h('div', {}, endPage(true), toolbar(context, 1)),
  'ended-retry': otherRetry,
  'ended-address': endAddress,
  left: context => endPage(pick(context, true, false), 'You left the meeting'),
};

const address = location.href;
let app;
export function renew() {
  app?.unmount();
  app = undefined;
}
export function render(root, state, context) {
  if (context.frame) return;
  if (state !== 'ended-address' && location.href !== address) history.replaceState(null, '', address);
  app ??= createRoot(root);
  redraw = () => app.render(h(FluentProvider, {theme: webLightTheme}, h('main', {key: state}, pages[state](context))));
  redraw();
}
