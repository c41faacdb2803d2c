// Synthetic, from the fact sheets of 2026-11-23 and 2026-11-25. Own markup; nothing of Zoom's client is copied.
// Variant 0: the vendor's client of 2026-08-24. Variant 1: older forms and texts of the sheets, in `iframe#webclient`.

const escape = text => text.replace(/[&<>"]/g, each => `&#${each.charCodeAt(0)};`);
const older = context => context.variant === 1;

// ---- Parts.
const button = (text, more = '') => `<button ${more}>${text}</button>`;
const actions = texts => `<div class="zm-modal-footer-default-actions">${texts.map((text, index) =>
  button(text, `class="zm-btn${index === texts.length - 1 ? ' zm-btn--primary' : ''}"`)).join('')}</div>`;
const OVER = 'style="position:fixed;top:80px;left:200px;width:420px;background:#fff;border:1px solid;z-index:5"';
// A dialog of the vendor's client: over the footer, which stays in the document.
const modal = (label, title, body, buttons, more = '') =>
  `<div class="ReactModal__Content ${more}" role="dialog" aria-label="${label}" ${OVER}>
    <div class="zm-modal-body-title">${title}</div><div class="zm-modal-body-content">${body}</div>${actions(buttons)}</div>`;
const olderModal = (title, body, buttons, kind = 'zm-modal') => `<div class="${kind}" ${OVER}>
    <div class="zm-modal-body-title">${title}</div><p>${body}</p>${actions(buttons)}</div>`;
const toast = text => `<div style="position:fixed;top:10px;right:10px">${text}</div>`;

// The footer; `count`: null while there is no counter.
const footer = (context, count, ready = true) => {
  const counter = count === null ? '' : `<span class="footer-button__number-counter">${count}</span>`;
  const audio = ready && !context.get('audio') ? button('Join Audio', 'aria-label="join audio"') : '';
  if (older(context)) {
    return `<div id="wc-footer" class="footer" data-testid="meeting-controls">${audio}
      <button class="footer-button__participants"${ready ? '' : ' disabled'}>${counter} Participants</button>
      ${button('Chat', 'class="footer-button__chat" aria-label="open the chat panel"')}
      ${button('Leave', 'aria-label="Leave"')}</div>`;
  }
  const item = (type, name, text, more = '') =>
    `<div feature-type="${type}" style="display:inline-block">${button(text, `class="footer-button" aria-label="${name}" ${more}`)}</div>`;
  return `<div id="wc-footer" class="footer" style="position:fixed;bottom:0">${audio}
    ${button('Video', 'class="footer-button" aria-label="start my video"')}
    ${item('participant', `open the participants list pane,[${count ?? 0}] particpants`, `${counter}Participants`, ready ? '' : 'disabled')}
    ${item('chat', 'open the chat panel', 'Chat')}${item('react', 'React', 'React')}${item('settings', 'Settings', 'Settings')}
    <div feature-type="more" id="moreButton" style="display:inline-block"><div role="group" aria-label="More meeting control ">More</div></div>
    ${button('Leave', 'aria-label="Leave"')}</div>`;
};
const leaving = context => context.get('leaving') ? `<div class="leave-option-container" style="position:fixed;bottom:60px">
  <div role="menu"><div role="menuitem" tabindex="0" class="leave-meeting-options__btn leave-meeting-options__btn--danger">Leave Meeting</div>
  <div role="menuitem" tabindex="0">Cancel</div></div></div>` : '';
const app = inner => `<div class="meeting-app">${inner}</div>`;
const cover = shown => `<div id="wc-loading" style="position:fixed;inset:0;background:#fff;z-index:9;${shown ? '' : 'display:none'}">
  <div class="join-meeting">Joining Meeting...</div></div>`;
const view = context => older(context) ? '' : button('View', 'aria-label="View"');
const room = (context, stage, more = '', count = context.people.length, covered = false) =>
  app(`${view(context)}${stage}${more}${list(context)}${footer(context, count)}${leaving(context)}`) + cover(covered);
const under = (context, dialog) => app(`${view(context)}${footer(context, 0)}`) + cover(false) + dialog;

const tile = (kind, {name, speaking}, marks = true) =>
  `<div class="${kind}__video-frame${speaking && marks ? ` ${kind}__video-frame--active` : ''}"
    style="display:inline-block;width:200px;height:120px;background:#345;color:#fff">
    <div class="video-avatar__avatar-name">${escape(name)}</div>
    <div class="video-avatar__avatar-footer"><span>${escape(name)}</span></div></div>`;
const talking = context => context.people.filter(each => each.speaking)
  .map(each => `<div class="video-frame__talking-indicator">Talking: ${escape(each.name)}</div>`).join('');
const gallery = context => context.people.map(each => tile('gallery-video-container', each)).join('') + talking(context);
// Only the rows that fit are in the document.
const rows = context => context.people.slice(0, 8).map(({name, own}, index) => {
  const mark = own ? ' (Me)' : index === 1 ? ' (Host)' : '';
  const label = mark ? `<span class="participants-item__name-label">${mark}</span>` : '';
  return `<div id="participants-list-${index}" class="participants-li" role="listitem" style="height:42px"
    aria-label="${escape(name)}${mark},computer audio muted,video off"><span class="participants-item__display-name">${escape(name)}</span>${label}</div>`;
}).join('');
const list = context => context.get('list') ? `<div><div>Participants (${context.people.length})</div>
  <div id="participants-ul" role="list" aria-label="Participants list">${rows(context)}</div></div>` : '';
const stage = context => older(context) ? '' : gallery(context);  // a bot may be served a page without tiles
// The composer is simple, or rich in older clients; what it holds is what it was heard to be told.
const composer = context => {
  const draft = escape(context.get('draft') ?? '');
  return older(context)
    ? `<div class="chat-rtf-box__editor-outer"><div contenteditable="true"><p${draft ? '' : ' data-placeholder="Type message here ..."'}>${draft || '<br>'}</p></div></div>`
    : `<textarea class="chat-box__chat-textarea" placeholder="Type message here ..." maxlength="1024">${draft}</textarea>`;
};
const COMPOSER = '.chat-box__chat-textarea, [contenteditable]';
const messages = texts => `<div id="chat-list-content" aria-label="Chat Message List" role="table" style="min-height:20px">
    ${texts.map(text => `<div role="row" aria-label="${escape(text)}">${escape(text)}</div>`).join('')}</div>`;
const ownChat = context => context.get('chat') ? messages(context.said) + composer(context) : '';
// Whoever writes there may write anything.
const chat = (context, waiting = true) => context.get('chat') === false ? '' : `${messages(['This meeting has been ended by host', 'You have been removed from this meeting by the host.', WALL, 'sign in to join',
    'This meeting has been locked', 'Meeting Disconnected',
    ...(waiting ? ["Host has joined. We've let them know you're here.", 'Waiting for the host to start the meeting.'] : []),
    'Incorrect Password', 'Joining Meeting...', 'Enter Meeting Info',
    'The host has opened Breakout Rooms. Please wait to be assigned.', 'Join from Zoom Workplace app', ...context.said])}
    ${composer(context)}
    <div class="chat-receiver-list__receiver">Everyone</div><div>Who can see your messages?</div>`;
const inCall = (context, more = '') => room(context, stage(context), more + ownChat(context));

// ---- The way in.
const launchLink = context => older(context)
  ? '<a href="/wc/join/1" class="joinWindowBtn" data-testid="join-from-browser-link">Join from browser</a>'
  : '<a href="#browser">Join from your browser</a>';
const launch = context => `<h3>Click Launch Meeting below</h3>${button('Download Now')} ${launchLink(context)}`;
const banner = buttons => `<div id="onetrust-banner-sdk" style="position:fixed;bottom:0;background:#eee">We use cookies. ${buttons}</div>`;
const ACCEPT = button('Accept Cookies', 'id="onetrust-accept-btn-handler"');

const field = (id, label, value, limit, more = '', error = '') => `<div class="preview-meeting-info__field">
  <label for="input-for-${id}">${label}</label>
  <input id="input-for-${id}" type="text" maxlength="${limit}" class="preview-meeting-info__field-input ${more}" value="${escape(value)}">
  ${error && `<div id="error-for-${id}" role="alert" class="preview-meeting-info__field-error">${error}</div>`}</div>`;
const devices = (context, prefix, suffix) => {
  const [muted, dark] = [context.get('muted'), context.get('dark')];
  return button(muted ? 'Unmute' : 'Mute', `id="${prefix}-audio-${suffix}" aria-label="${muted ? 'Unmute' : 'Mute'}"`) +
    button(dark ? 'Start Video' : 'Stop Video', `id="${prefix}-video-${suffix}" aria-label="${dark ? 'Start Video' : 'Stop Video'}"`);
};
// `ask`: the fields besides the name; `blocked`: Join stays disabled; `error`: what is wrong with a field.
const form = (context, {ask = [], blocked = false, errors = {}, more = ''} = {}) => {
  const ready = !blocked && context.name && (!ask.includes('pwd') || context.passcode);
  if (older(context)) {
    return `<form>${devices(context, 'preview', 'btn')}
      ${ask.includes('pwd') ? `<input id="inputpasscode" value="${escape(context.passcode)}">` : ''}
      ${errors.pwd ? '<div>Passcode wrong</div><div>Incorrect password</div>' : ''}${errors.email ? errors.email : ''}
      <input id="inputname" placeholder="Your Name" value="${escape(context.name)}">
      <button type="button" id="joinBtn"${ready ? '' : ' disabled'}>Join</button>${more}</form>`;
  }
  // The information lies over the button: a click by coordinates is caught.
  return `<div class="preview-root"><div class="preview-new-flow preview">
    ${devices(context, 'preview', 'control-button')}
    <div class="preview-meeting-info" style="position:relative;z-index:1;padding-bottom:50px;margin-bottom:-50px">
      <div class="preview-meeting-info__title">Enter Meeting Info</div>
      ${ask.includes('pwd') ? field('pwd', 'Meeting Passcode', context.passcode, 64, 'preview-meeting-info__field-input--password', errors.pwd) : ''}
      ${ask.includes('email') ? field('email', 'Email', '', 360, '', errors.email) : ''}
      ${field('name', 'Your Name', context.name, 128)}
      <label><input type="checkbox" checked>Remember my name for future meetings</label>
      <span>Who can see your name and email address?</span></div>
    <button aria-label="" class="zm-btn preview-join-button${ready ? '' : ' disabled zm-btn--disabled'}"${ready ? '' : ' disabled tabindex="-1"'}>Join</button>
    <div class="preview-agreement" style="margin-top:40px">By clicking "Join", you agree to our terms</div>${more}</div></div>`;
};
const quiet = (context, options) => {
  context.set('muted', true);
  context.set('dark', true);
  return form(context, options);
};
const typed = context => { context.name ||= context.people[0].name; return quiet(context); };
const classicPasscode = (value, error = '') => `<div class="mini-layout" id="websdk-password"><h1>Passcode wrong</h1>
  <input id="inputpasscode" value="${escape(value)}">${error && `<div>${error}</div>`}<button class="joinWindowBtn">Join</button></div>`;
const question = (...texts) => `<div style="padding:40px">${texts.map(text => `<p>${button(text)}</p>`).join('')}</div>`;

// ---- Waiting.
const WORDS = ['Panelists, please sign in to join.', 'Only authenticated users can join the second half.',
  'Once the meeting is at capacity, we close the doors.', 'This meeting has been locked until nine.',
  "Automated bots aren't allowed to join this meeting.", 'Captcha wrong, please try again, is the title of the talk.',
  'Please enter a valid passcode at the buffet.', 'Trouble? Join from Zoom Workplace app.'];
const hold = (tip, more = '', topic = 'Weekly') => app(`<div class="meeting-on-hold"><div class="waiting-room-container on-hold-main ${more}">
  <div class="wr-topic">${topic}</div>${tip}<button class="leave-btn">Exit</button>
  <div class="waiting-room-preview">${button('Unmute', 'id="preview-audio-control-button" aria-label="Unmute"')}</div></div></div>`);
const tip = text => `<div class="wr-tip">${text}</div>`;
const olderHold = text => app(`<h2>Waiting Room</h2><p>${text}</p><button class="leave-btn">Exit</button>`);
const waiting = (context, text) => older(context) ? olderHold(text) : hold(tip(text));
const notStarted = (context, text, old = text) => older(context) ? `<p>${old}</p>`
  : app(`<div class="waiting-room-container">${tip(text)}<button class="leave-btn">Exit</button></div>`);

// ---- The wall.
const MISTAKE = 'If this was a mistake and you are a human, sign in to join the meeting.';
const WALL = 'We detected you may be a bot. Automated bots aren’t allowed to join this meeting or webinar and must use Zoom RTMS.';
const wall = context => older(context) ? olderModal('Sign in to join', `${WALL} ${MISTAKE}`, ['Close', 'Sign in'])
  : modal('BotDetectedDialog', 'Sign in to join', `${WALL.replace('’', "'")}<br>${MISTAKE}`, ['Close', 'Sign in']);
const inlineError = text => `<div class="preview-reCaptcha-error__message">${text}</div>`;
const captcha = (context, wrong = '') => form(context, {blocked: true, more: older(context)
  ? '<div class="CaptchaContainer"><input placeholder="Enter captcha"></div>'
  : `<div class="component_smart_captcha"><label>Type the characters you see</label><input placeholder="Please input captcha">
    <span class="captcha_code_img" style="display:inline-block;width:120px;height:40px;background:#9ab"></span></div>
    ${wrong && `<div class="captcha-tip-toast">${wrong}</div>`}`});

const layer = (kind, title, text) => `<div class="loading-layer ${kind}" style="position:fixed;inset:0;background:#fff;z-index:4">
  <div class="loading-layer__title">${title}</div><div class="loading-layer__text">${text}</div></div>`;
const lost = layer('loading-layer--reset-webclient', 'Meeting Disconnected', 'Trying to reconnect');
const removed = context => under(context, (older(context) ? '' : lost) + (older(context)
  ? olderModal('You have been removed', '', ['Exit'])
  : modal('You have been removed', 'You have been removed', 'You have been removed from this meeting by the host.', ['Exit'])));
const over = context => under(context, older(context) ? olderModal('The host ended the meeting', '', ['OK'])
  : modal('Meeting is end now', 'This meeting has been ended by host', '', ['OK']));
const end = title => context => under(context, modal('Meeting is end now', title, '', ['OK']));
const notAllowedBack = context => under(context, modal('Has been Removed dialog', 'Leave meeting',
  'You are unable to rejoin this meeting because you were previously removed by the host', ['Leave']));
const TIMEOUT = 'Joining Meeting Timeout or Browser restriction';
const DISABLED = 'Your network connection has timed out or your organization has disabled access to Zoom from the browser.';
const failed = context => under(context, older(context)
  ? `<div class="connect-error-dialog" ${OVER}>${TIMEOUT}<br>Error Code:1006${actions(['Report Problem', 'Leave', 'Retry'])}</div>`
  : modal('Reconnect server dialog', TIMEOUT, 'Error Code:1006', ['Report Problem', 'Leave', 'Retry']));
const unmute = (label, text, more = '') => context => inCall(context, modal(label, text, '', ['Stay Muted', 'Unmute'], more));
const recorded = 'This meeting is being recorded';

const OUTSIDE = {  // pages of the site, around and before the client
  cookies: context => launch(context) + banner((older(context) ? '' : button('Reject All', 'id="onetrust-reject-all-handler"')) +
    button('✕', 'class="onetrust-close-btn-handler"') + ACCEPT),
  'cookies-accept': context => launch(context) + banner(ACCEPT),
  launch,
  'launch-app': () => button('Launch Meeting'),
  'app-only': context => older(context) ? '<p>Did not open Zoom Workplace app?</p>' : '<p>Join from Zoom Workplace app</p>',
  'error-3001': () => '<h1>This meeting link is invalid (3,001)</h1>',
  'error-3001-text': () => '<h1>This meeting link is invalid (3,001)</h1>',
  'bad-number': () => '<div>Invalid meeting ID</div>',
  redirected: () => '<h1>Join Meeting</h1>',
  'wc-loading': () => '<p>One moment</p>',
  left: () => '<h1>Join Meeting</h1>',
};
const INSIDE = {
  permission: () => question('Use microphone and camera', 'Continue without microphone and camera'),
  'permission-continue': context => question(older(context) ? 'Continue without microphone' : 'Continue without microphone and camera'),
  'permission-allow': () => question('Allow'),
  disclaimer: context => older(context) ? `<p>Terms</p>${button('Agree', 'id="disclaimer_agree"')}`
    : `<div class="disclaimer_container"><p>This disclaimer was generated by your account admin.</p>
      <div class="disclaimer_footer_buttons">${button('Cancel')}${button('Agree')}</div></div>`,
  terms: () => `<p>Terms</p>${button('I Agree', 'id="wc_agree1"')}`,
  'pre-join-devices': context => form(context, {ask: ['pwd']}),
  'pre-join-camera': context => { context.set('muted', true); return form(context); },
  'pre-join-passcode': context => quiet(context, {ask: ['pwd']}),
  'pre-join': context => quiet(context),
  'pre-join-typed': typed,
  'passcode-classic': () => classicPasscode(''),
  'passcode-classic-typed': context => classicPasscode(context.passcode || context.expected),
  'passcode-classic-wrong': () => classicPasscode('', 'Please enter a valid Passcode'),
  'passcode-wrong': context => quiet(context, {ask: ['pwd'], blocked: true, errors: {pwd: 'Incorrect Password'}}),
  'email-asked': context => quiet(context, {ask: ['email'], blocked: true, errors: {email: 'Your email cannot be empty'}}),

  joining: context => app(footer(context, null, false)) + cover(true),
  // Whatever stands under the cover.
  'joining-whole': context => room(context, stage(context), '', context.people.length, true),
  'not-started': context => notStarted(context, 'Waiting for the host to start the meeting.', 'Waiting for the host to start this meeting'),
  'not-started-fallback': context => notStarted(context, 'Waiting for host to start the meeting'),
  'webinar-not-started': context => notStarted(context, 'Waiting for host to start the webinar', 'Please wait for the webinar to begin'),
  'host-busy': context => notStarted(context, 'The host has another meeting in progress', 'Your host is currently in another meeting'),
  lobby: context => older(context) ? olderHold('Please wait, the meeting host will let you in soon.')
    : hold(tip("Host has joined. We've let them know you're here.")),
  'lobby-back': context => waiting(context, "The host will admit you when they're ready"),
  'lobby-soon': context => waiting(context, 'The host will let you in soon'),
  'lobby-host-left': context => waiting(context, 'The host left the meeting. Waiting for a host to join'),
  'lobby-host-lost': context => waiting(context, 'Please wait, the host lost connection'),
  'lobby-custom': () => hold(`<div class="wr-logo">ACME</div><div class="wr-title">This meeting has been ended by host, not</div>
    <div class="wr-desc">You have been removed to a nice place. Waiting for the host to start the meeting.</div>`, 'wr-customized'),

  // What the host or a topic says, however much it sounds like the site.
  'lobby-words': context => hold(tip("Host has joined. We've let them know you're here.") + (older(context) ? ''
    : `<div class="wr-desc">${WORDS.join(' ')}</div>`), older(context) ? '' : 'wr-customized', older(context) ? WORDS.join(' ') : 'Weekly'),
  'not-started-words': context => notStarted(context, 'Waiting for the host to start the meeting.',
    'Waiting for the host to start this meeting') + `<div class="wr-topic">${WORDS.join(' ')}</div>`,

  'in-call': context => inCall(context),
  'in-call-hidden-footer': context => app(`${gallery(context)}<div hidden>${footer(context, context.people.length)}</div>`) + cover(false),
  'in-call-no-tiles': context => { context.set('audio', true); return room(context, ''); },
  'in-call-list': context => { context.set('list', true); context.set('audio', true); return room(context, ''); },
  'in-call-speaker': context => { context.set('audio', true); return room(context, tile('speaker-active-container', context.people[1]) +
    context.people.filter((_, index) => index !== 1).map(each => tile('speaker-bar-container', each)).join('')); },
  'in-call-big': context => room(context, tile('speaker-active-container', context.people[1], false)),
  'in-call-alone': context => room(context, tile('single-main-container', context.people[0], false), '', 1),
  'in-call-sharing': context => room(context, `<div class="sharee-container"><div class="sharee-sharing-indicator__tip">You are viewing
    ${escape(context.people[1].name)}'s screen</div></div>${context.people.map(each => tile('suspension-video-container', each)).join('')}`),
  'in-call-chat': context => room(context, gallery(context), chat(context)),
  'in-call-leaving': context => { context.set('leaving', true); return inCall(context); },
  'in-call-captions': context => inCall(context, `<div class="lt-subtitle-wrap"><div class="live-transcription-subtitle__item">
    This meeting has been ended by host</div></div>`),
  'in-call-recording': context => inCall(context, older(context)
    ? `<div class="recording-disclaimer-dialog" ${OVER}>${recorded}${actions(['Leave', 'Got it'])}</div>`
    : `<div class="notification-consent-banner" ${OVER}><div id="zoom2modal"><div class="consent-banner" role="banner">
      <div class="disclaimer-content__title" role="alert">${recorded}. It's also being transcribed for AI Companion.</div>
      <button class="ok-button">OK</button></div></div></div><div class="recording-indication__text">Recording</div>`),
  'in-call-recording-dialog': context => inCall(context, `<div class="${older(context) ? 'commmon-disclaimer-dialog' : 'big-dialog'}" ${OVER}>
    ${recorded}. By staying in this meeting, you consent to being recorded.${actions(['Leave', 'OK'])}</div>`),
  'in-call-unmute': context => (older(context) ? unmute('unmute audio dialog', 'The host would like you to speak')
    : unmute('Unmute Dialog', 'The host would like you to unmute', 'dialog-unmute-container'))(context),
  'in-call-unmute-video': unmute('unmute video and audio dialog', 'The host has asked you to start your video'),
  'in-call-breakout': context => inCall(context, context.get('stays') ? '' : older(context)
    ? modal('Join Breakout Room', '', 'You have been assigned to Room 1', ['Not Now', 'Join'])
    : modal('Join Breakout Room', 'Join Breakout Room', 'Ada Lovelace is inviting you to join Room 1', ['Not Now', 'Join'], 'zm-modal-join-dialog')),
  'in-call-breakout-open': context => inCall(context, toast(older(context) ? 'Breakout Rooms will close in 60 seconds.'
    : 'The host has opened Breakout Rooms. Please wait to be assigned.')),
  'in-call-permission': context => inCall(context, olderModal('Permission needed from Meeting Host', '', ['Close'],
    older(context) ? 'zm-modal-legacy' : 'zm-modal')),
  'in-call-device': context => inCall(context, older(context) ? olderModal('Cannot detect your camera/microphone', '', ['OK'])
    : `<div class="ReactModal__Content" role="dialog" ${OVER}>Cannot detect your camera/microphone${button('OK', 'class="zm-btn--primary"')}</div>`),
  'in-call-hint': context => inCall(context, older(context) ? `<div>A new way to react ${button('Got it')}</div>`
    : `<div class="notification-message-wrap">Graphics acceleration is off ${button('✕', 'aria-label="Close Medium"')}</div>`),
  reconnecting: context => app(view(context) + gallery(context) + footer(context, null)) + cover(false) + lost,
  'reconnecting-chat': context => app(view(context) + gallery(context) + chat(context, older(context)) + footer(context, null)) + cover(false) + lost,
  // Some layer, of which only its class is known.
  'other-layer': context => inCall(context, layer('', 'One moment', '')),
  'joining-room': context => app(footer(context, null)) + layer('loading-layer--bo-room', 'Joining Breakout Rooms...', ''),
  'leaving-room': context => app(footer(context, null)) + layer('loading-layer--bo-room', 'Returning to Main Session...', ''),

  'bot-wall': context => form(context, {blocked: true}) + wall(context),
  'bot-wall-inline': context => form(context, {blocked: true, more: inlineError("Automated bots aren't allowed to join this meeting.")}),
  'bot-wall-closed': context => form(context, {blocked: true}) + '<div class="closed"></div>',
  blocked: context => under(context, modal('BlockErrorDialog', 'Unable to join meeting', 'Error code: 1132', ['Cancel', 'Report to ZOOM'])),
  captcha: context => captcha(context, 'Please input captcha and retry'),
  'captcha-wrong': context => form(context, {blocked: true, more: '<div class="captcha-tip-toast">Captcha wrong, please try again</div>'}),
  'captcha-classic': () => '<div class="mini-layout"><h1>Check captcha</h1></div>',
  'recaptcha-failed': context => form(context, {blocked: true,
    more: inlineError('You failed the reCAPTCHA verification.<br>Please try again.')}),
  'sign-in': context => older(context) ? `<div id="prompt">Please sign in to join this meeting ${button('Sign in')}</div>`
    : `<div class="mini-layout" id="login"><h1>Sign in</h1>${button('Sign in Zoom', 'class="login-btn-zoom"')}</div>`,
  'sign-in-authentication': context => under(context, older(context)
    ? olderModal('The host requires authentication on the commercial Zoom platform', '', ['OK'])
    : '<div>Authentication is required</div>'),
  'sign-in-users': context => form(context, {blocked: true, more: '<div>Only authenticated users can join</div>'}),
  barrier: context => under(context, modal('Unable to join this meeting', 'Unable to join this meeting',
    'Your admin has restricted communication between certain groups and users.', ['OK'])),
  locked: context => under(context, older(context) ? olderModal('This meeting has been locked', '', ['OK'])
    : modal('Meeting is locked', 'Unable to join this meeting', 'Host has locked this meeting.', ['Exit']) + toast('meeting locked')),
  'locked-by-host': context => under(context, `<div ${OVER}>The meeting has been locked by the host</div>`),
  full: context => under(context, modal('Meeting is full', "The meeting is at the host's allowed capacity",
    'This meeting has reached the maximum number of attendees allowed.', ['OK']) + toast('meeting is at capacity')),
  'over-already': context => over(context) + toast('meeting ended'),
  'web-client-disabled': context => under(context, `<div class="connect-error-dialog" ${OVER}>${DISABLED}${actions(['Leave', 'Retry'])}</div>`),
  'join-failed': failed,
  'call-failed': failed,
  denied: removed,
  removed,
  'not-allowed-back': notAllowedBack,
  'removed-before': notAllowedBack,
  ended: over,
  'ended-by-admin': end('This meeting has been ended by your admin'),
  'ended-new-meeting': end('This meeting has ended as someone has started a new meeting with this account'),
  'ended-free': context => under(context, modal('Thank you for choosing Zoom!', 'This free Zoom meeting has ended', '', ['OK'])),
  'archiving-failed': end('You were disconnected from the meeting because archiving failed'),
};

// The frame stays while its page is drawn anew; where another variant is shown, it is empty and hidden.
export function renew(root) {
  if (!root.querySelector('iframe')) root.replaceChildren();
}
let current;
export function render(root, state, context) {
  const drawn = current;
  current = state;
  const composing = drawn === state && document.activeElement?.matches(COMPOSER);
  const top = context.frame === undefined || context.frame === null;
  if (top && older(context) && !OUTSIDE[state]) {
    if (!root.querySelector('iframe')) {
      root.innerHTML = context.html(`<iframe id="webclient" src="${context.frameAddress('webclient')}"
        style="width:100%;height:95vh;border:0"></iframe>`);
    }
    const client = root.querySelector('iframe');
    client.onload = () => context.go(current);  // it has to be told what its page shows
    client.id = 'webclient';
    client.style.display = '';
    [...root.children].filter(each => each !== client).forEach(each => each.remove());
    return;
  }
  const client = top && !OUTSIDE[state] ? root.querySelector('iframe') : null;
  const html = top && OUTSIDE[state] ? OUTSIDE[state](context) : top || older(context) ? INSIDE[state]?.(context) ?? '' : '';
  if (!client) root.innerHTML = context.html(html);
  else {
    client.style.display = 'none';
    [...root.children].filter(each => each !== client).forEach(each => each.remove());
    client.insertAdjacentHTML('beforebegin', context.html(html));
  }
  if (html) wire(root, state, context);
  if (composing) root.querySelector(COMPOSER)?.focus();
}

function wire(root, state, context) {
  const on = (css, does, kind = 'click') => root.querySelectorAll(css).forEach(each => each.addEventListener(kind, event => {
    if (kind === 'click') event.preventDefault();
    does(event);
  }));
  const again = (key, value = true) => () => { context.set(key, value); render(root, state, context); };
  const labelled = text => `button[aria-label="${text}"]`;
  if (OUTSIDE[state]) {
    on('#onetrust-banner-sdk button', () => context.next());
    if (state === 'launch') on('a', () => context.next());
    return;
  }
  // Questions and terms.
  if (state.startsWith('permission')) {
    root.querySelectorAll('button').forEach(each => each.addEventListener('click', () => {
      if (!each.textContent.startsWith('Continue')) return;  // there is no camera: the question stays
      context.set('asked', (context.get('asked') ?? 0) + 1);
      if (context.get('asked') > 1) context.next();
    }));
  }
  if (state === 'disclaimer') on('#disclaimer_agree, .disclaimer_footer_buttons button:last-child', () => context.next());
  // The form.
  const joinButton = root.querySelector('.preview-join-button, #joinBtn');
  const field = (css, key) => on(css, event => {
    context[key] = event.target.value;
    const ready = context.name && (!root.querySelector('#input-for-pwd, #inputpasscode') || context.passcode);
    if (!joinButton || !state.startsWith('pre-join')) return;
    joinButton.disabled = !ready;
    joinButton.classList.toggle('disabled', !ready);
    joinButton.classList.toggle('zm-btn--disabled', !ready);
    if (ready) joinButton.removeAttribute('tabindex');
  }, 'input');
  field('#input-for-name, #inputname', 'name');
  field('#input-for-pwd, #inputpasscode', 'passcode');
  if (state.startsWith('pre-join')) {
    on('.preview-join-button, #joinBtn', () => {
      const asked = root.querySelector('#input-for-pwd, #inputpasscode');
      if (asked && context.passcode !== context.expected) context.go('passcode-wrong');
      else context.next();
    });
  }
  on(`.preview-root ${labelled('Mute')}, form ${labelled('Mute')}`, again('muted'));
  on(`.preview-root ${labelled('Stop Video')}, form ${labelled('Stop Video')}`, again('dark'));
  // The call.
  on(labelled('join audio'), again('audio'));
  on('[feature-type="participant"] button, .footer-button__participants', again('list'));
  on(labelled('Leave'), again('leaving'));
  if (state === 'in-call-breakout') on('[role="dialog"] button:first-of-type', again('stays'));
  // Its chat.
  const open = () => Boolean(root.querySelector('#chat-list-content'));
  on(labelled('open the chat panel'), () => again('chat', !open())());
  root.querySelectorAll(COMPOSER).forEach(each => {
    each.addEventListener('input', () => context.set('draft', each.value ?? each.textContent));
    each.addEventListener('keydown', event => {
      if (event.key !== 'Enter') return;
      event.preventDefault();
      if (context.get('draft')) context.say(context.get('draft'));
      render(root, state, context);
    });
  });
  on('.leave-meeting-options__btn--danger, .leave-btn', () => context.left());
  if (state === 'bot-wall-closed') {
    const shadow = root.querySelector('.closed').attachShadow({mode: 'closed'});
    shadow.innerHTML = context.html(`<div ${OVER}><h2>Sign in to join</h2><p>${WALL}</p><p>${MISTAKE}</p><button>Close</button></div>`);
  }
}
