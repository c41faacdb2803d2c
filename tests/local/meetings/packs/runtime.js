// Draws a pack's states and lets them follow one another. Synthetic: written for tests, seen on no real site.
import * as page from './page.js';

const {render} = page;
// A page whose drawing builds on what it drew before says how to begin anew.
const renew = page.renew ?? (root => root.replaceChildren());

const config = JSON.parse(document.querySelector('meta[name=pack]').content);
const policy = globalThis.trustedTypes?.createPolicy('pack', {createHTML: text => text}) ?? {createHTML: text => text};
const memory = new Map();
let state = config.states[0];
let following = config.states.slice(1);
let joined = null;  // when the scenario began

// A frame shows what its page shows, and tells it what people do in it.
const top = window === window.top;
const frames = () => [...document.querySelectorAll('iframe'), ...(window.framesInShadow ?? [])].map(each => each.contentWindow).filter(Boolean);
const tellFrames = (anew = false) => {
  const pack = {state, people, variant: context.variant, anew};
  frames().forEach(frame => frame.postMessage({pack}, '*'));
};
const tellTop = what => window.top.postMessage({packDid: what}, '*');

const SPEAKING_SECONDS = 2;
let people = config.people.map((name, index) => ({name, own: index === 0, speaking: false}));
const speak = () => {
  const others = people.length - 1;
  const turn = others > 0 ? 1 + Math.floor(performance.now() / 1000 / SPEAKING_SECONDS) % others : -1;
  people = people.map((person, index) => ({...person, name: index === 0 ? context.name || person.name : person.name,
    speaking: config.speaking && index === turn}));
};

// No script of the page returns from here on, and no processor is kept busy by it. A request that fails, as one did now
// and then on a busy machine, is sent again.
const hang = () => {
  for (;;) {
    const request = new XMLHttpRequest();
    request.open('GET', '/pack/never', false);
    try { request.send(); } catch {}
  }
};

const enter = next => {
  state = next;
  if (top) {
    const {title, path} = config.documents[state];
    document.title = title;
    if (path !== null && location.pathname !== path) history.replaceState(null, '', path);
  }
  if (config.options.hang === state) setTimeout(hang, config.options.hangAfter * 1000);
  draw();
  tellFrames();
};
const follow = () => {
  const [next, seconds] = following.shift() ?? [];
  if (!next) return;
  enter(next);
  if (seconds) setTimeout(follow, seconds * 1000);
};

const act = {
  next: () => {
    if (joined) return;
    if (following.length && typeof following[0] === 'string') enter(following.shift());
    else { joined = performance.now(); following = config.scenario.slice(); follow(); }
  },
  left: () => { following = []; enter(config.left); },
  wrongPasscode: () => memory.set('wrong passcode', true),
};
const context = {
  variant: config.variant,
  name: '', passcode: '',
  get people() { return people; },
  get: key => memory.get(key),
  set: (key, value) => { memory.set(key, value); },
  next: () => top ? act.next() : tellTop({next: {name: context.name, passcode: context.passcode}}),
  left: () => top ? act.left() : tellTop({left: true}),
  wrongPasscode: () => act.wrongPasscode(),
  // What was written into the chat: kept by the page, and there for tests to read.
  get said() { return memory.get('said') ?? []; },
  say: text => {
    memory.set('said', [...context.said, text]);
    memory.delete('draft');
    document.documentElement.dataset.said = JSON.stringify(context.said);
  },
  go: next => top ? enter(next) : tellTop({go: next}),
  frame: config.frame,
  frameAddress: frame => config.frames[frame],
  expected: config.expected,  // the meeting's own passcode
  html: text => policy.createHTML(text),
  media: {attach: element => attachMedia(element)},
};

addEventListener('message', ({data}) => {
  if (data?.pack) {
    ({state, people} = data.pack);
    context.variant = data.pack.variant;
    if (data.pack.anew) forget();
    draw();
    tellFrames(data.pack.anew);
  }
  if (data?.packAsks && top) tellFrames();
  const did = data?.packDid;
  if (!did || !top) return;
  if (did.next) { Object.assign(context, did.next); act.next(); }
  if (did.left) act.left();
  if (did.go) enter(did.go);
});

// For tests: show another state, or the same anew, without loading the document again.
addEventListener('pack-show', () => {
  const [next, variant] = document.documentElement.dataset.show.split('/');
  following = [];
  forget();
  context.variant = Number(variant);
  enter(next);
  tellFrames(true);
});
const forget = () => {
  [...document.body.children].filter(each => each !== root && each.localName !== 'script').forEach(each => each.remove());
  memory.clear();
  delete document.documentElement.dataset.said;
  Object.assign(context, {name: '', passcode: ''});
  renew(root);
};

const root = document.querySelector('#root') ?? document.body;
let drawn = null;
// A framework keeps a button's node while it is pressed; one that is drawn anew between press and release gets no click.
let pressed = false;
addEventListener('pointerdown', () => { pressed = true; }, true);
addEventListener('click', () => { pressed = false; }, true);
for (const end of ['pointerup', 'pointercancel']) addEventListener(end, () => setTimeout(() => { pressed = false; }), true);
const draw = () => {
  if (pressed) { setTimeout(draw, 20); return; }
  const active = document.activeElement?.localName === 'iframe' ? null : document.activeElement?.id;
  render(root, state, context);
  if (drawn === state && active) document.getElementById(active)?.focus();  // as frameworks that keep the node do
  drawn = state;
};

// One connection of the page with itself carries speech and a moving picture.
let streams = null;
const connect = async () => {
  const audio = new AudioContext();
  const sound = audio.createMediaStreamDestination();
  const speech = await audio.decodeAudioData(await (await fetch('/pack/speech')).arrayBuffer());
  const source = new AudioBufferSourceNode(audio, {buffer: speech, loop: true});
  source.connect(sound);
  source.start();
  const canvas = Object.assign(document.createElement('canvas'), {width: 320, height: 180});
  const pen = canvas.getContext('2d');
  setInterval(() => {
    pen.fillStyle = `hsl(${performance.now() / 20 % 360} 60% 50%)`;
    pen.fillRect(0, 0, 320, 180);
    pen.fillStyle = 'white';
    pen.fillText(new Date().toISOString(), 20, 90);
  }, 100);
  const [from, to] = [new RTCPeerConnection(), new RTCPeerConnection()];
  from.onicecandidate = ({candidate}) => candidate && to.addIceCandidate(candidate);
  to.onicecandidate = ({candidate}) => candidate && from.addIceCandidate(candidate);
  const received = {audio: new MediaStream(), video: new MediaStream()};
  to.ontrack = ({track}) => received[track.kind].addTrack(track);
  const sent = [...sound.stream.getTracks(), ...canvas.captureStream(10).getTracks()];
  sent.forEach(track => from.addTrack(track, new MediaStream([track])));
  await from.setLocalDescription();
  await to.setRemoteDescription(from.localDescription);
  await to.setLocalDescription();
  await from.setRemoteDescription(to.localDescription);
  return received;
};
const attachMedia = async element => {
  if (!config.media) return;
  streams ??= connect();
  const received = await streams;
  const stream = received[element.localName === 'video' ? 'video' : 'audio'];
  if (element.srcObject !== stream) { element.srcObject = stream; element.autoplay = true; element.play().catch(() => {}); }
};

setTimeout(() => {
  enter(state);
  if (!top) window.top.postMessage({packAsks: true}, '*');
  if (!config.options.still) setInterval(() => {
    const before = people.findIndex(each => each.speaking);
    speak();
    draw();
    tellFrames();
    if (people.findIndex(each => each.speaking) !== before) document.documentElement.dataset.spoke = Date.now();
  }, 500);
}, config.options.late * 1000);
