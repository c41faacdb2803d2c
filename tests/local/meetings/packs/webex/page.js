// Synthetic, from the fact sheets of 2026-11-23 and 2026-11-25. Own markup; nothing of Webex's client is copied. The
// mdc-* elements are the published components that it is made of.
//
// Variants: 0 the client in a frame of web.webex.com, 1 the client in the main frame, 2 the thin client, two frames deep.

// ---- Drawing: like a framework, it keeps the nodes that are still wanted and sets everything else anew.
const drawnAttributes = new WeakMap(), drawnChildren = new WeakMap();
const reconcile = (parent, wanted) => {
  const old = drawnChildren.get(parent) ?? [];
  const now = [...wanted.childNodes].map((model, index) => {
    let node = old[index];
    if (!node || node.nodeName !== model.nodeName) {
      const made = model.nodeType === Node.TEXT_NODE ? document.createTextNode('') : document.createElement(model.localName);
      if (node?.parentNode === parent) node.replaceWith(made); else parent.append(made);
      node = made;
    }
    if (model.nodeType === Node.TEXT_NODE) { if (node.data !== model.data) node.data = model.data; return node; }
    const given = Object.fromEntries([...model.attributes].map(({name, value}) => [name, value]));
    // What a component gave itself stays.
    const before = drawnAttributes.get(node) ?? {};
    for (const name of Object.keys(before)) if (!(name in given)) node.removeAttribute(name);
    for (const [name, value] of Object.entries(given)) if (before[name] !== value) node.setAttribute(name, value);
    drawnAttributes.set(node, given);
    if ('value' in given && node.value !== given.value) node.value = given.value;
    // What somebody wrote into it is kept as a whole.
    if (given.contenteditable) { if (node.textContent !== model.textContent) node.textContent = model.textContent; return node; }
    reconcile(node, model);
    return node;
  });
  old.slice(now.length).forEach(node => node.remove());
  drawnChildren.set(parent, now);
};

const quoted = text => text.replace(/[&<>"]/g, each => `&#${each.charCodeAt(0)};`);
const by = (context, ...forms) => forms[context.variant];  // what this variant shows

// ---- Parts. `data-do` and `data-field` tell this file what a person did; no table asks for them.
const button = (context, text, attributes = '', act = '') => context.variant === 2
  ? `<button ${attributes} data-do="${act}">${text}</button>`
  : `<mdc-button ${attributes} data-do="${act}">${text}</mdc-button>`;
// `body` for the thin client is what follows the title; an mdc-dialog has places for a text and a button.
const dialog = (context, title, {body = '', press = ['', '']} = {}) => context.variant === 2
  ? `<div role=dialog style="position:fixed;top:40%;left:30%;padding:2em;background:#eee"><h2>${title}</h2>${body}
    ${press[0] && button(context, press[0], '', press[1])}</div>`
  : `<mdc-dialog visible header-text="${title}" close-button-aria-label=Close style="width:480px;height:240px;padding:2em"><div slot=dialog-body>${body}</div>
    ${press[0] && button(context, press[0], 'slot=footer-button-primary', press[1])}</mdc-dialog>`;
const banner = (context, buttons) => `<div id=cookieMgmtbanner style="position:fixed;bottom:0;left:0;right:0;background:#ddd">
  We use cookies. ${buttons.map(each => button(context, each, '', 'next')).join(' ')}</div>`;

const LAUNCH = [
  [`<div id=broadcom-center-right role=button tabindex=0 data-do=again>Join from this browser</div>`,
    `<button data-test=join-browser-button data-do=again>Join from your browser</button>`,
    `<a id=push_download_detect_link href="#" data-do=again>Join from browser</a>`],
  [`<button aria-label="Join from this browser" data-do=next>Browser</button>`,
    `<button data-test=join-from-browser data-do=next>Continue in this browser</button>`,
    `<button id=push_download_join_by_browser data-do=next>Use web app</button>`],
];
const landing = (context, round = 0, more = '') =>
  `<h1>Join your Webex meeting</h1><p>Open the desktop app, or stay here.</p>${LAUNCH[round][context.variant]}${more}`;
const download = '<h1>Get ready to join</h1><p>Run the Webex Installer from your downloads.</p>';

const field = (context, host, attributes, kind, value) =>
  `<${host} ${attributes} id=field-${kind} data-field=${kind} value="${quoted(value)}">${host === 'input' ? '' : `</${host}>`}`;
const nameFields = (context, form, value) => form === 0
  ? by(context, field(context, 'mdc-input', 'data-test=Name label=Name', 'name', value),
    field(context, 'mdc-input', 'data-test=guest-name label="Your name"', 'name', value),
    `<span id=nameLabel>Your name</span>${field(context, 'input', 'aria-labelledby=nameLabel', 'name', value)}`)
  : by(context, field(context, 'mdc-input', 'data-test=Name label=Name', 'name', value),
    `<label>Name ${field(context, 'input', 'data-test="Name (required)"', 'name', value)}</label>`,
    `<label>Name ${field(context, 'input', 'autocomplete=name', 'name', value)}</label>`);
const emailField = (context, value) => by(context,
  field(context, 'mdc-input', 'data-test="Email (required)" label="Email"', 'email', value),
  field(context, 'input', 'placeholder="Email address"', 'email', value),
  field(context, 'input', 'data-test="Email (required)"', 'email', value));
const joinButton = (context, form, enabled) => form === 0
  ? button(context, by(context, 'Join meeting', 'Join', 'Join'),
    `${by(context, 'data-test=join-button', 'id=join-button', 'id=interstitial_join_btn')}${enabled ? '' : ' disabled'}`, 'next')
  : button(context, by(context, 'Join meeting', 'Join', '➜'),
    `${by(context, '', '', 'aria-label="Join meeting"')}${enabled ? '' : ' disabled'}`, 'next');
const microphone = (context, on) => by(context,
  `<mdc-button data-test=microphone-button aria-label="${on ? 'Mute, currently unmuted' : 'Unmute, currently muted'}" data-do=mute>🎤</mdc-button>`,
  `<mdc-button aria-label="${on ? 'Microphone, currently unmuted' : 'Microphone, currently muted'}" data-do=mute>🎤</mdc-button>`,
  `<button id=audioControlButton${on ? ' data-doi="AUDIO:MUTE"' : ''} data-do=mute>🎤</button>`);
const camera = (context, on) => by(context,
  `<mdc-button data-test=camera-button data-do=video>${on ? 'Stop video' : '🎥'}</mdc-button>`,
  `<button aria-label="${on ? 'Stop video' : '🎥'}" data-do=video>🎥</button>`,
  `<button data-doi="${on ? 'VIDEO:STOP_VIDEO' : 'VIDEO:START_VIDEO'}" data-do=video>🎥</button>`);
const preJoin = (context, {form = 0, name = context.name, email = false, enabled = Boolean(context.get('name left')), on = '', more = ''} = {}) =>
  `<main>${nameFields(context, form, name)}${email ? emailField(context, context.get('email') ?? '') : ''}
    ${microphone(context, on === 'microphone')}${camera(context, on === 'camera')}${joinButton(context, form, enabled)}</main>${more}`;
const passwordForm = (context, value, wrong = '') => by(context,
  `<mdc-password label="Meeting password" id=field-passcode data-field=passcode value="${quoted(value)}"
    ${wrong && `help-text="${wrong}" help-text-type=error`}></mdc-password><mdc-button type=submit data-do=send>OK</mdc-button>`,
  `<mdc-input data-test=meeting-password label=Password id=field-passcode data-field=passcode value="${quoted(value)}"
    ${wrong && `help-text="${wrong}" help-text-type=error`}></mdc-input><mdc-button data-test=submit-button data-do=send>OK</mdc-button>`,
  `<input aria-label="Meeting password" data-test=password-input id=field-passcode data-field=passcode value="${quoted(value)}">
    <p>${wrong}</p><button id=password_validate_btn data-do=send>OK</button>`);

const speaks = person => person.speaking;
const tiles = (context, people) => by(context,
  `<div data-test=grid-layout>${people.map(each => `<div data-test="${quoted(each.name)}-video-pane-container">
    ${speaks(each) ? '<div data-test=active-speaker-halo></div>' : ''}
    <div data-test="${quoted(each.name)}-participant-label" aria-label="Unmuted ${quoted(each.name)}">${quoted(each.name)}</div></div>`).join('')}</div>`,
  `<div>${people.map(each => `<div class=participants-video-tile>${speaks(each) ? '<i class=active-speaker-halo></i>' : ''}
    <span data-test=participant-name>${quoted(each.name)}</span></div>`).join('')}</div>`,
  `<div>${people.map(each => `<div${speaks(each) ? ' class="videoitem-in-speaking-3a-w-"' : ''}>
    <span class="videoitem-full-name-content-TzQC4">${quoted(each.name)}</span></div>`).join('')}</div>`);
const roster = context => `<aside><mdc-text tagname=h2>Participants (${context.people.length})</mdc-text>
  ${context.people.map(each => `<div class=participants-list-item><span data-test=participant-name>${quoted(each.name)}</span></div>`).join('')}</aside>`;
// What its field holds is what it was heard to be told.
const draft = context => quoted(context.get('draft') ?? '');
const editor = (context, messages) => `<aside>${messages.map(each => `<p>${each}</p>`).join('')}
  <div class=ql-editor contenteditable=true data-field=draft style="min-height:30px">${draft(context)}</div>
  <button aria-label="Send message" data-do=say>➜</button></aside>`;
const chat = (context, messages) => by(context, editor(context, messages), editor(context, messages),
  `<div id=chat-panel>${messages.map(each => `<div class=style-chat-box-1><h3>Ada Lovelace</h3>
    <span class=style-chat-msg-1>${each}</span></div>`).join('')}<div><textarea data-field=draft value="${draft(context)}"></textarea></div>
    <button aria-label="Send message" data-do=say>➜</button></div>`);
const controls = (context, on = '') => by(context,
  `<div data-test=call_controls_wrap>${microphone(context, on === 'microphone')}${camera(context, on === 'camera')}
    <mdc-button data-test=mc-share>⇧</mdc-button><mdc-button data-test=raise-hand-button>✋</mdc-button>
    <mdc-button data-test=participants-toggle-button aria-expanded=${Boolean(context.get('list'))} data-do=list>👥</mdc-button>
    <mdc-button data-test=in-meeting-chat-toggle-button data-do=chat>💬</mdc-button><mdc-button data-test=more-menu-button>…</mdc-button>
    <mdc-button aria-label="Leave meeting" data-do=leave>✕</mdc-button></div>`,
  `<div data-test=call_controls_wrap>${microphone(context, on === 'microphone')}${camera(context, on === 'camera')}
    <mdc-button data-test=participants-toggle-button aria-expanded=${Boolean(context.get('list'))} data-do=list>👥</mdc-button>
    <mdc-button data-test=layout-button>▦</mdc-button><mdc-button data-test=more-menu-button>…</mdc-button>
    <mdc-button aria-label="Hide control bar">⌄</mdc-button><mdc-button aria-label="End or leave meeting" data-do=leave>✕</mdc-button></div>`,
  `<div>${microphone(context, on === 'microphone')}${camera(context, on === 'camera')}
    <button data-test=participants-toggle-button aria-expanded=${Boolean(context.get('list'))} data-do=list>👥</button>
    <button aria-label="Chat panel" data-doi="CHAT:OPEN_CHAT_PANEL:MENU_CONTROL_BAR" data-do=chat>💬</button>
    <button aria-label="Leave meeting" data-do=leave>✕</button></div>`);
const inCall = (context, {people = context.people, listed = context.people, on = '', bar = true, more = ''} = {}) =>
  `${tiles(context, people)}<audio></audio>${bar ? controls(context, on) : ''}${context.get('list') ? roster({...context, people: listed}) : ''}
    ${context.get('chat') ? chat(context, context.said.map(quoted)) : ''}${more}
    ${context.get('leaving') ? dialog(context, 'Going?', {press: ['Leave meeting', 'left']}) : ''}`;
const lobby = (context, text, mark = true) => `<div${!mark ? '' :
  by(context, ' data-test=call_lobby_content', ' data-test=meeting-lobby-view', ' id=remote_stream_placeholder_message')}>${text}
  ${mark ? button(context, 'Notify host', '', 'captcha') : ''}</div>`;
const captcha = (context, text = '') => `<main>${text}<img width=200 height=80 ${by(context, 'alt="Captcha image"', 'alt="Captcha Image"', 'id=verificationImage')}
  src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>"><input placeholder="Type the text in the image"></main>`;
const said = (context, ...texts) => `<main><p>${by(context, ...texts)}</p></main>`;

// ---- States, and where they are drawn.
const TOP = {
  cookies: context => landing(context, 0, banner(context, ['Accept', 'Reject'])),
  'cookies-no-reject': context => landing(context, 0, context.variant === 2
    ? '<div class=cookie-banner-btnContainer>We use cookies. <button data-do=next>OK</button></div>'
    : banner(context, [by(context, 'Accept', 'Allow all')])),
  landing: context => landing(context),
  'landing-again': context => landing(context, 1),
  timing: context => landing(context, 0, dialog({variant: 2}, "Let's make sure you’re on time…",
    {body: by(context, '<button id=fallBkJoinByBrowser data-do=next>Browser</button>',
      '<button data-do=next>Join from browser</button>', '<a id=fallBkJoinByBrowser href="#" data-do=next>Join from browser</a>')})),
  problem: context => landing(context, 0, by(context,
    `<div class=el-dialog__wrapper style="position:fixed;inset:0;background:#ccc">Problem joining from browser?
      <button>Try again</button><button class=el-dialog__close data-do=next>✕</button></div>`,
    dialog({variant: 2}, 'Problem joining from browser?', {body: '<button>Try again</button><button data-do=next>Got it</button>'}),
    dialog({variant: 2}, 'Problem joining from browser?', {body: '<button>Try again</button><button data-do=next>Got it</button>'}))),
  download: context => by(context, '<h1>Get ready to join</h1>', '<p>Run the Webex Installer from your downloads.</p>', download),
  'not-found': context => said(context, 'Meeting not found', 'This is an invalid meeting link.', 'Meeting not found'),
  expired: context => said(context, 'This link has expired.', 'This link has expired.', 'This link has expired.'),
  // One of the forms is a page whose buttons have not come yet.
  back: context => context.variant === 1 ? '<h1>Join your Webex meeting</h1>' : landing(context),
};
// Everything that ends or refuses, as somebody's words.
const CHAT = ['Meeting has ended', 'You were removed from the meeting',
  'The meeting is locked', 'You are in the lobby', 'The meeting has not started', 'you have left the meeting', 'Meeting disconnected',
  'Meeting not found', 'The host denied it', 'unable to join', 'Please sign in to join', 'something went wrong', 'expired', 'Connecting',
  'Incorrect password. Try again.'];
const CLIENT = {
  'cookies-client': context => preJoin(context, {more: banner(context, ['Accept', 'Reject'])}),
  guest: context => button(context, 'Guest', 'data-test=auth-crosslaunch-meeting-start-guest-join-button', 'next'),
  'without-devices': context => dialog(context, 'Your microphone is blocked',
    {press: ['Continue without microphone and camera', 'next']}),
  next: context => `${nameFields(context, 0, context.name || context.people[0].name)}
    ${button(context, '➜', by(context, 'aria-label=Next', 'aria-label=Next', 'id=guest_next-btn'), 'next')}`,
  'pre-join': context => preJoin(context),
  remembered: context => preJoin(context, {form: 1, name: context.name || 'LMA'}),
  email: context => preJoin(context, {email: true, name: context.name || context.people[0].name}),
  named: context => preJoin(context, {name: context.people[0].name, enabled: false}),
  ready: context => preJoin(context, {name: context.people[0].name, enabled: true}),
  'ready-by-label': context => preJoin(context, {form: 1, name: context.people[0].name, enabled: true}),
  'microphone-on': context => preJoin(context, {on: context.get('mute') ? '' : 'microphone'}),
  'camera-on': context => preJoin(context, {on: context.get('video') ? '' : 'camera'}),
  'after-next': context => `<main>${microphone(context, false)}${camera(context, false)}${joinButton(context, 0, true)}</main>`,
  'passcode-typed': context => passwordForm(context, context.expected),
  passcode: context => passwordForm(context, context.passcode),
  'passcode-wrong': context => passwordForm(context, context.passcode, 'Incorrect password. Try again.'),
  'too-many': context => passwordForm(context, context.passcode, 'Incorrect password entered too many times. Enter captcha code'),
  captcha: context => captcha(context),
  // Its frame is there, and is still empty; on the page around it the words of before.
  'frame-loading': context => context.variant === 1 ? '<main><p>Joining…</p></main>' : '',
  joining: context => said(context, 'Connecting…', 'Joining…', 'Connecting…'),
  lobby: context => lobby(context, 'Please wait'),
  'lobby-text': context => lobby(context, by(context, 'Waiting in lobby', 'Waiting for the host', 'The host will let you in'), false),
  'lobby-text-more': context => lobby(context, 'You are in the lobby', false),
  'lobby-title': context => lobby(context, 'Please wait', false),
  'not-started': context => lobby(context, by(context, 'This meeting has not started yet.',
    'Thank you for waiting. We’ll start the meeting when the host joins.', 'The meeting has not started'), context.variant !== 1),
  'in-call': context => inCall(context),
  alone: context => inCall(context, {people: context.people.slice(0, 1), listed: context.people.slice(0, 1), more: said(context, 'Waiting for others to join',
    "You're the only one here", 'No one else is here')}),
  'in-call-chat': context => inCall(context, {more: chat(context, CHAT)}),
  'in-call-chat-bar-hidden': context => inCall(context, {bar: context.variant === 2, more: chat(context, CHAT)}),
  'in-call-breakout': context => inCall(context, {more: button(context, 'Join')}),
  'in-call-microphone-on': context => inCall(context, {on: context.get('mute') ? '' : 'microphone'}),
  'in-call-camera-on': context => inCall(context, {on: context.get('video') ? '' : 'camera'}),
  'in-call-connect-audio': context => inCall(context, {more: button(context, 'Connect audio', '', 'audio')}),
  'in-call-computer-audio': context => inCall(context, {more: dialog(context, 'Audio', {press: ['Use computer audio', 'call']})}),
  'in-call-hint': context => inCall(context, {more: `<div>New here ${button(context, 'Got it', '', 'call')}</div>`}),
  'in-call-no-tiles': context => inCall(context, {people: [], more: context.variant === 0 ? '' : '<div data-test=grid-layout>…</div>'}),
  'in-call-list': context => inCall(context, {people: [], more: (context.variant === 0 ? '' : '<div data-test=grid-layout>…</div>')
    + (context.variant === 2 ? '<aside><div class=participants-list-item><span data-test=participant-name>Ada Lovelace</span></div></aside>'
      : roster({...context, people: []}))}),
  // Only the new client is known to have a bar that can be hidden.
  'in-call-bar-hidden': context => inCall(context, {bar: context.variant === 2}),
  // People are called what they like, and their tiles' attributes with them.
  'in-call-names': context => inCall(context, {bar: context.variant === 2, people: [...context.people,
    ...['HQ Lobby', 'Joining Forces GmbH'].map(name => ({name, own: false, speaking: false}))]}),
  'connecting-again': context => said(context, 'Connecting…', 'Joining…', 'Connecting…'),
  denied: context => said(context, 'Your request to join was denied', 'The host denied your request', 'Your request to join was denied'),
  'denied-removed': context => dialog(context, 'You were removed from the meeting'),
  unable: context => dialog(context, 'You are unable to join'),
  locked: context => dialog(context, 'This meeting is locked', {body: 'You are unable to join'}),
  gone: context => by(context, dialog(context, 'Meeting has ended'), '<div data-test=meeting-ended>✕</div>',
    dialog(context, 'The host ended the meeting')),
  'gone-page': context => said(context, 'Meeting has ended', 'The host ended the meeting', 'Meeting unavailable'),
  'sign-in': context => said(context, 'Please sign in to join this meeting', 'SSO authentication is required', 'Sign in to join'),
  error: context => by(context, '<div class="wbx-error-dialog">✕ 41</div>', dialog(context, 'Sorry, something went wrong'),
    '<div data-test=join-error>Something went wrong.</div>'),
  removed: context => inCall(context, {more: dialog(context, 'You were removed from the meeting')}),
  'removed-page': context => said(context, 'You were removed from the meeting', "You've been removed from the meeting", 'Removed from the meeting'),
  ended: context => inCall(context, {more: by(context, dialog(context, 'Meeting has ended'), '<div data-test=meeting-ended>✕</div>',
    dialog(context, 'The host ended the meeting'))}),
  'ended-page': context => said(context, 'The meeting has ended.', 'The host ended the meeting', 'Meeting unavailable'),
  'you-left': context => said(context, 'You have left the meeting', "You've successfully left the meeting", 'You have left the meeting'),
  disconnected: context => said(context, 'Meeting disconnected', 'Meeting disconnected', 'Meeting disconnected'),
};

const act = (context, what) => ({
  next: () => context.next(),
  again: () => context.go('landing-again'),
  captcha: () => context.go('captcha'),
  call: () => context.go('in-call'),
  audio: () => context.go('in-call-computer-audio'),
  send: () => context.passcode === context.expected ? context.next() : context.go('passcode-wrong'),
  leave: () => context.set('leaving', true),
  left: () => context.left(),
  list: () => context.set('list', !context.get('list')),
  chat: () => context.set('chat', !context.get('chat')),
  say: () => { if (context.get('draft')) context.say(context.get('draft')); },
  mute: () => context.set('mute', !context.get('mute')),
  video: () => context.set('video', !context.get('video')),
})[what]?.();

let listening = false;
const listen = (root, context, redraw) => {
  if (listening) return;
  listening = true;
  root.addEventListener('click', event => {
    const target = event.target.closest('[data-do]');
    if (!target || target.hasAttribute('disabled')) return;
    if (target.localName === 'a') event.preventDefault();
    act(context, target.dataset.do);
    redraw();
  });
  root.addEventListener('input', event => {
    const kind = event.target.dataset.field, value = event.composedPath()[0].value ?? event.target.textContent;
    if (kind === 'name') context.name = value;
    if (kind === 'passcode') context.passcode = value;
    if (kind === 'email') context.set('email', value);
    if (kind === 'draft') context.set('draft', value);
  });
  // The form is checked when a field is left.
  root.addEventListener('focusout', event => {
    if (event.target.dataset.field === 'name') context.set('name left', Boolean(context.name));
    // Later: what drawing takes out of the page loses its focus in the midst of it.
    queueMicrotask(redraw);
  });
};

// Frames of a variant, from the outside in; the innermost holds the client.
const FRAMES = [
  [['client', 'id=unified-webclient-iframe']],
  [],
  [['thin', 'name=thinIframe'], ['inner', 'id=pbui_iframe']],
];

const CHAINED = Object.fromEntries(FRAMES.flat());
const TITLES = {'lobby-title': 'Lobby · Webex', 'not-started': 'Webex'};
let current;
// A frame once made stays and only shrinks to nothing, so that another state is shown without loading it anew.
const made = new Map(), drawnStyles = new WeakMap();
const showFrame = (root, shown, context) => {
  if (shown && !made.has(shown[0])) {
    const frame = document.createElement('iframe');
    frame.src = context.frameAddress(shown[0]);
    // What was told before it listened is told again.
    frame.addEventListener('load', () => frame.contentWindow.postMessage(
      {pack: {state: current, people: context.people, variant: context.variant, anew: true}}, '*'));
    made.set(shown[0], frame);
    root.append(frame);
  }
  for (const [name, frame] of made) {
    const [attribute, value] = CHAINED[name].split('=');
    if (frame.getAttribute(attribute) !== value) frame.setAttribute(attribute, value);
    const style = name === shown?.[0] ? 'border:0;width:1200px;height:800px' : 'display:none';
    if (drawnStyles.get(frame) !== style) { frame.setAttribute('style', style); drawnStyles.set(frame, style); }
  }
};
export function renew(root) {
  [...root.childNodes].filter(each => each.localName !== 'iframe').forEach(each => each.remove());
  drawnChildren.delete(root);
  for (const frame of made.values()) {
    for (const name of frame.getAttributeNames()) if (name !== 'src') frame.removeAttribute(name);
    drawnStyles.delete(frame);
  }
}
export function render(root, state, context) {
  current = state;
  const chain = FRAMES[context.variant];
  const place = chain.findIndex(([name]) => name === context.frame);
  const used = context.frame === null || place >= 0;  // frames of other variants stay empty
  const depth = place + 1;
  if (context.frame === null) {
    const called = state.startsWith('in-call') || state === 'alone';
    document.title = TITLES[state] ?? (called && context.variant === 0 ? 'In meeting · Meeting · Webex' : 'Webex');
    // After the call a guest is back on the landing page.
    if (state === 'back' && !location.pathname.startsWith('/webappng/')) history.replaceState(null, '', '/webappng/sites/acme/meeting/download/5f1e');
  }
  const model = document.createElement('template');
  let html = '', frame = null;
  if (!used) html = '';
  else if (state in TOP) { if (depth === 0) html = TOP[state](context); }
  else if (depth < chain.length) {
    frame = chain[depth];
    if (state === 'frame-loading' && depth === 0) html = download;
  }
  else html = CLIENT[state](context);
  model.innerHTML = context.html(html);
  reconcile(root, model.content);
  showFrame(root, frame, context);
  // What an mdc-dialog darkens the page with stays behind when the dialog is taken out of the document.
  if (!root.querySelector('mdc-dialog')) document.querySelectorAll('.dialog-backdrop').forEach(each => each.remove());
  for (const each of root.querySelectorAll('audio')) context.media.attach(each);
  listen(root, context, () => render(root, current, context));
}
