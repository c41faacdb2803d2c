// Synthetic, from the fact sheets of 2026-11-23 and 2026-11-25. Own markup; nothing of Google Meet's client is copied.
// Variant 0 has the forms that the newer sources name, variant 1 the other ones.
const el = (tag, attributes = {}, ...content) => {
  const given = Object.entries(attributes).filter(([, value]) => value !== false && value !== undefined)
    .map(([name, value]) => value === true ? ` ${name}` : ` ${name}="${String(value).replaceAll('"', '&quot;')}"`).join('');
  return `<${tag}${given}>${tag === 'input' ? '' : `${content.join('')}</${tag}>`}`;
};
const button = (text, attributes = {}) => el('button', attributes, el('span', {}, text));
const OVERLAY = 'position:fixed;inset:0;background:#fffe;z-index:9';
const TOOLBAR_SECONDS = 4;

// Frames of recaptcha that are no puzzle: hidden, or tiny. With `srcdoc` nothing is loaded from their address.
const captcha = attributes => el('iframe', {src: 'https://meet.google.com/recaptcha/api2/anchor', srcdoc: '', ...attributes});
const innocent = ({variant}) => captcha(variant === 0 ? {style: 'display:none'} : {width: 256, height: 20, style: 'border:0'});
const home = () => button('Return to home screen', {id: 'home'});

// Microphone and camera: a button or a div, whose label says what a click does.
const device = (context, what) => el(context.variant === 0 ? 'button' : 'div',
  {id: what, 'aria-label': `Turn ${context.get(what) === 'off' ? 'on' : 'off'} ${what}`, style: 'display:inline-block;min-width:30px;min-height:20px'}, '●');
const preview = context => el('div', {'data-participant-id': 'preview'}, el('i', {}, 'visual_effects'), device(context, 'microphone'), device(context, 'camera'));
const nameField = context => context.variant === 0
  ? el('input', {id: 'name', type: 'text', jsname: 'b0t', 'aria-label': 'Your name', value: context.name})
  : el('input', {id: 'name', type: 'text', placeholder: 'Your name', value: context.name});

const preJoin = (label, extra = '') => context => el('main', {}, el('h1', {}, 'Ready to join?'), preview(context), extra, nameField(context),
  button(label, {id: 'join', jsname: 'x1', disabled: !context.name}), button('Other ways to join', {id: 'other'}), innocent(context));
// As it is once name and devices are as the guest wants them.
const ready = page => context => {
  context.name ||= context.people[0].name;
  for (const what of ['microphone', 'camera']) context.set(what, 'off');
  return page(context);
};
const early = (text, label) => context => preJoin('Ask to join')(context)
  + el('div', {role: 'dialog', style: OVERLAY}, el('p', {}, text), button(label, {id: 'next'}));

const leaveCall = ({variant}) => el('button', {id: 'leave', jsname: variant === 0 ? 'CQylAd' : false, 'aria-label': 'Leave call'}, '☎');
const controls = (context, ...buttons) => el('div', {role: 'region', 'aria-label': 'Call controls', style: toolbarStyle(context)},
  device(context, 'microphone'), device(context, 'camera'), ...buttons, leaveCall(context));
const toolbarStyle = context => performance.now() - (context.get('pointer') ?? performance.now()) > TOOLBAR_SECONDS * 1000 ? 'visibility:hidden' : false;

// The lobby looks like a call.
const lobby = (...lines) => context => {
  context.set('pointer', performance.now());
  return el('main', {}, ...lines.map(line => el('div', {}, line)), controls(context), home(), innocent(context));
};

const tile = ({variant}, person, index) => {
  const own = person.own && {'data-self-name': person.name};
  return el('div', {'data-participant-id': `people/${index}`, ...(variant === 0 && own), style: 'display:inline-block;width:200px;height:90px'},
    variant === 0 ? el('div', {'data-audio-level': person.speaking ? 3 : 0}) : el('div', {class: person.speaking ? 'Oaajhc' : 'gjg47c'}),
    el('div', variant === 1 && own ? own : {}, el('span', {class: 'notranslate'}, person.name)));
};
const inCall = context => {
  const {variant, people} = context;
  if (!context.get('pointer')) context.set('pointer', performance.now());
  const count = people.length;
  return el('main', {}, ...people.map((person, index) => tile(context, person, index)),
    el('div', {'data-participant-id': 'effects'}, el('i', {}, 'visual_effects')),
    variant === 0 ? el('div', {'data-avatar-count': count}, count) : '', innocent(context),
    controls(context, ...(variant === 0
      ? [el('button', {'aria-label': 'Turn on captions'}, 'cc'), button('Present now')]
      : [el('button', {'aria-label': 'Turn off captions'}, 'cc'), button('Share screen')]),
    el('button', {'aria-label': variant === 0 ? 'People' : `People (${count})`}, '☺'),
    el('button', {id: 'chat', 'aria-label': 'Chat with everyone'}, '✎')), chat(context));
};
// What its field holds is what it was heard to be told.
const chat = context => !context.get('chat') ? '' : el('aside', {},
  ...context.said.map((text, index) => el('div', {'data-message-id': `s${index}`}, text.replaceAll('<', '&lt;'))),
  el('textarea', {id: 'message', 'aria-label': context.variant === 0 ? 'Send a message' : 'Send a message to everyone', maxlength: 500},
    (context.get('draft') ?? '').replaceAll('<', '&lt;')));
const gate = (text, label) => context => inCall(context) + el('div', {'aria-modal': 'true', role: 'dialog', style: OVERLAY}, el('p', {}, text),
  button(label, {id: 'accept', 'data-mdc-dialog-action': context.variant === 0 ? 'ok' : false}));

const plain = (...parts) => context => el('main', {}, ...parts.map(part => typeof part === 'string' ? el('div', {}, part) : part()), innocent(context));
const heading = text => () => el('h1', {}, text);
const again = () => button('Ask to join again', {id: 'again'});

const pages = {
  // Before joining.
  'without-account': early('You are not signed in', 'Use without an account'),
  devices: early('Do you want people to hear and see you?', 'Continue without microphone and camera'),
  'got-it': early('Something new', 'Got it'),
  dismiss: early('Something went past', 'Dismiss'),
  'pre-join': preJoin('Ask to join'),
  'pre-join-muted': context => { context.set('microphone', 'off'); return preJoin('Ask to join')(context); },
  'ready-ask': ready(preJoin('Ask to join')),
  'ready-ask-anyway': ready(preJoin('Ask to join anyway')),
  'ready-now': ready(preJoin('Join now')),
  'ready-call-now': ready(preJoin('Join the call now')),
  'ready-anyway': ready(preJoin('Join anyway')),
  'ready-here-too': ready(preJoin('Join here too')),
  'ready-gemini': ready(preJoin('Join now', el('p', {}, 'Gemini is taking notes'))),
  gemini: plain('Gemini is taking notes', () => button('Join now', {id: 'notice'})),
  'take-notes': plain('The host has switched on “take notes for me”', () => button('Join now', {id: 'notice'})),
  joining: () => '',
  black: () => el('div', {style: 'position:fixed;inset:0;background:#000'}),

  // The lobby.
  lobby: context => (context.variant === 0
    ? lobby('Asking to be let in', 'You’ll join the call when someone lets you in') : lobby('Please wait until a meeting host brings you into the call'))(context),
  'lobby-asking': lobby('Asking to be let in'),
  'lobby-someone': lobby('You’ll join the call when someone lets you in'),
  'lobby-admits': lobby('Please wait until somebody admits you to the call'),
  'lobby-host': lobby('Waiting for the host to let you in'),
  'not-started': lobby('Waiting for the host to join'),

  // The call.
  'in-call': inCall,
  'in-call-chat': context => { context.set('chat', context.get('chat') ?? true); return inCall(context); },
  'in-call-message': context => inCall(context) + el('div', {'data-message-id': 'm1'}, 'You can’t join this meeting, said my calendar'),
  // As a message, or as somebody's name.
  'in-call-lobby-words': context => context.variant === 0
    ? inCall(context) + el('div', {'data-message-id': 'm1'}, 'Wait until the host admits you to the call, it said')
    : inCall({...context, people: [...context.people, {name: 'Waiting for the host to join', own: false, speaking: false}]}),
  'leave-confirm': context => inCall(context) + el('div', {style: OVERLAY}, button('Just leave the meeting', {id: 'just-leave'})),
  'gate-recorded': gate('This video call is being recorded', 'Join now'),
  'gate-transcribed': gate('This video call is being transcribed', 'Got it'),
  'gate-gemini': gate('Gemini is taking notes', 'Join now'),
  'gate-take-notes': gate('The host has switched on “take notes for me”', 'Join now'),
  'gate-differently': gate('Others may see your video differently', 'Got it'),

  // Refused.
  denied: context => (context.variant === 0 ? plain(heading('You left the meeting'), 'Someone in the call denied your request to join', home)
    : plain(heading('You left the meeting'), 'You weren’t allowed to join', home))(context),
  'denied-alone': plain('Someone in the call denied your request to join', home),
  'denied-not-allowed': plain('You weren’t allowed to join', home),
  'denied-request': plain('A person denied your request', home),
  'denied-again': plain(again, home),
  'denied-left': plain(heading('You left the meeting'), home),
  'no-response': plain('No one responded to your request to join the call', home),
  'blocked-call': plain(heading('You can’t join this video call'), home),
  'blocked-meeting': plain(heading('You can’t join this meeting'), home),
  'blocked-problem': plain(heading('There is a problem connecting to this video call'), home),
  'blocked-credentials': plain('Your sign-in credentials might have changed', home),
  'not-found-check': plain(heading('Check your meeting code')),
  'not-found-name': plain(heading('Invalid video call name')),
  'not-found-expired': plain(heading('Your meeting code has expired')),
  'not-found-code': plain(heading('The meeting code you entered doesn’t work')),
  'sign-in': plain(heading('Sign in'), 'Use your Google Account'),
  captcha: context => preJoin('Ask to join')(context) + captcha({width: 304, height: 78}),

  // Over.
  removed: context => plain(heading(context.variant === 0 ? 'You’ve been removed from the meeting' : 'You were removed from the meeting'), home)(context),
  'removed-short': plain(heading('Removed from meeting'), home),
  ended: context => (context.variant === 0 ? plain(() => el('div', {class: 'roSPhc'}, 'Your host ended the meeting for everyone'), home)
    : plain(heading('The call ended'), home))(context),
  'ended-short': plain(heading('Meeting ended'), home),
  left: plain(heading('You left the meeting'), home),
};

// Redirects to other hosts; which state is shown there, and on the way back, stands in the address.
const MEET = 'https://meet.google.com/';
const away = {'sign-in-elsewhere': 'https://accounts.google.com/signin', elsewhere: 'https://workspace.google.com/products/meet/'};
Object.assign(pages, {
  'sign-in-elsewhere': context => el('main', {}, context.variant === 0 ? el('h1', {}, 'Sign in') : el('div', {}, 'Use your Google Account')),
  elsewhere: () => el('main', {}, el('h1', {}, 'Meetings for everyone')),
});
const id = () => new URLSearchParams(location.search).get('pack') ?? location.pathname.slice(1);
const elsewhere = (state, {variant}) => {
  const asked = location.hash.slice(1);
  if (asked.includes('/')) {
    history.replaceState(null, '', location.pathname + location.search);
    document.documentElement.dataset.show = asked;
    dispatchEvent(new Event('pack-show'));
    return true;
  }
  const host = new URL(away[state] ?? MEET).host;
  if (location.host === host) return false;
  if (going !== state) location.replace(`${away[state] ?? MEET + id()}?pack=${id()}#${state}/${variant}`);
  going = state;
  return true;
};

let shown = null, last = null, going = null;
addEventListener('pack-show', () => { shown = null; channels = []; });
export function render(root, state, context) {
  last = [root, state, context];
  if (elsewhere(state, context)) return;
  const text = pages[state](context);
  sound(state, context);
  if (text === shown) return;
  shown = text;
  root.innerHTML = context.html(text);
  listen(root, state, context);
}

function listen(root, state, context) {
  const on = (name, act, event = 'click') => root.querySelector(`#${name}`)?.addEventListener(event, act);
  const again = () => render(...last);
  on('next', () => context.next());
  on('name', event => { context.name = event.target.value; root.querySelector('#join').disabled = !context.name; }, 'input');
  on('join', () => context.next());
  on('notice', () => context.next());
  on('chat', () => { context.set('chat', !context.get('chat')); again(); });
  on('message', event => { context.set('draft', event.target.value); }, 'input');
  on('message', event => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    if (context.get('draft')) context.say(context.get('draft'));
    again();
  }, 'keydown');
  on('accept', () => context.go('in-call'));
  for (const what of ['microphone', 'camera']) on(what, () => { context.set(what, context.get(what) === 'off' ? 'on' : 'off'); again(); });
  on('leave', () => state === 'in-call' && context.variant === 1 ? context.go('leave-confirm') : context.left());
  on('just-leave', () => context.left());
}

// The toolbar of the call hides while the pointer rests.
addEventListener('mousemove', () => {
  if (!last) return;
  last[2].set('pointer', performance.now());
  render(...last);
});

// Variant 0 plays each channel in an element of its own; variant 1 plays from elsewhere.
let channels = [];
function sound(state, context) {
  const wanted = context.variant === 0 && state.startsWith('in-call');
  if (wanted === channels.length > 0) return;
  if (!wanted) { channels.forEach(each => each.remove()); channels = []; return; }
  channels = [0, 1, 2].map(() => document.body.appendChild(document.createElement('audio')));
  channels.forEach((each, index) => { if (index === 0) context.media.attach(each); });
}
