// The probe as it was before tables named elements, with its table of LiveKit: the baseline of the bench.
// Runs in one frame, in an isolated world: reads, changes nothing. `config` is put in by probe.py.
(config => {
  // The same folding as fold() in probe.py, which the table's texts went through.
  const fold = text => text
    .normalize('NFKC')
    .replace(/[\u2018\u2019\u201A\u201B\u02BC\u00B4`]/g, "'")
    .replace(/[\u201C\u201D\u201E\u201F]/g, '"')
    .replace(/[\u2010-\u2015]/g, '-')
    .replace(/\s+/g, ' ').trim().toLowerCase();
  // Whole code points, many more than a name is cut to (by page_text() in contract/text.py), and no lone surrogate.
  const bounded = text => text.slice(0, text.codePointAt(1999) > 0xFFFF ? 1999 : 2000).toWellFormed();
  const shown = element => {
    if (!element.checkVisibility({opacityProperty: true, visibilityProperty: true})) return false;
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0;
  };
  const bad = [];
  const find = (css, root = document) => {
    try { return [...root.querySelectorAll(css)]; } catch { bad.push(css); return []; }
  };
  let whole = null;
  const text = () => whole ??= fold(document.body ? document.body.innerText : '');

  const holds = match => {
    if (match.path !== null && location.pathname !== match.path) return false;
    if (match.url !== null && !location.href.toLowerCase().includes(match.url)) return false;
    if (match.css === null) return match.text === null || (innerWidth > 0 && text().includes(match.text));
    let found = find(match.css);
    if (match.visible) found = found.filter(shown);
    if (match.min_width || match.min_height) {
      found = found.filter(element => {
        const box = element.getBoundingClientRect();
        return box.width >= match.min_width && box.height >= match.min_height;
      });
    }
    if (match.text !== null) {
      found = found.filter(element => fold(element.innerText ?? element.textContent).includes(match.text));
    }
    if (found.length < match.minimum) return false;
    return match.enabled === null || (!found[0].disabled && found[0].ariaDisabled !== 'true') === match.enabled;
  };

  const is = (element, css) => css !== null && element.matches(css);
  const people = find(config.people.tile).filter(tile => !is(tile, config.people.screen_share)).map(tile => {
    const name = tile.querySelector(config.people.name);
    return {
      name: name ? bounded((name.innerText || name.textContent).replace(/\s+/g, ' ').trim()) : '',
      own: is(tile, config.people.own_tile),
      speaking: is(tile, config.people.speaking),
    };
  });

  // Elements are told apart by numbers: one that came must not look like one that advanced.
  globalThis.numbers ??= {known: new WeakMap(), last: 0};
  const number = element => {
    if (!numbers.known.has(element)) numbers.known.set(element, ++numbers.last);
    return numbers.known.get(element);
  };
  const audio = find(config.media.audio).map(each => [number(each), each.currentTime]);
  const video = find(config.media.video)
    .map(each => [number(each), each.getVideoPlaybackQuality ? each.getVideoPlaybackQuality().totalVideoFrames : 0]);

  const [navigation] = performance.getEntriesByType('navigation');
  return {
    matches: config.matches.map(holds),
    people: people.slice(0, config.people.most),
    audio: audio.slice(0, 100),
    video: video.slice(0, 100),
    status: navigation ? navigation.responseStatus : 0,
    bad,
  };
})
({"matches": [{"css": ".lk-prejoin button[data-lk-source=\"microphone\"][aria-pressed=\"true\"]", "text": null, "minimum": 1, "enabled": null, "visible": true, "min_width": 0, "min_height": 0, "path": null, "url": null}, {"css": ".lk-prejoin button[data-lk-source=\"camera\"][aria-pressed=\"true\"]", "text": null, "minimum": 1, "enabled": null, "visible": true, "min_width": 0, "min_height": 0, "path": null, "url": null}, {"css": ".lk-prejoin #username", "text": null, "minimum": 1, "enabled": null, "visible": true, "min_width": 0, "min_height": 0, "path": null, "url": null}, {"css": ".lk-join-button", "text": null, "minimum": 1, "enabled": false, "visible": true, "min_width": 0, "min_height": 0, "path": null, "url": null}, {"css": ".lk-join-button", "text": null, "minimum": 1, "enabled": true, "visible": true, "min_width": 0, "min_height": 0, "path": null, "url": null}, {"css": ".lk-control-bar .lk-disconnect-button", "text": null, "minimum": 1, "enabled": null, "visible": true, "min_width": 0, "min_height": 0, "path": null, "url": null}, {"css": null, "text": null, "minimum": 1, "enabled": null, "visible": true, "min_width": 0, "min_height": 0, "path": "/", "url": null}, {"css": ".lk-toast-connection-state", "text": null, "minimum": 1, "enabled": null, "visible": true, "min_width": 0, "min_height": 0, "path": null, "url": null}, {"css": ".lk-participant-tile[data-lk-local-participant=\"true\"]", "text": null, "minimum": 1, "enabled": null, "visible": true, "min_width": 0, "min_height": 0, "path": null, "url": null}, {"css": ".lk-prejoin", "text": null, "minimum": 1, "enabled": null, "visible": true, "min_width": 0, "min_height": 0, "path": null, "url": null}], "people": {"tile": ".lk-participant-tile", "name": ".lk-participant-name", "own_tile": "[data-lk-local-participant=\"true\"]", "speaking": "[data-lk-speaking=\"true\"]", "screen_share": "[data-lk-source=\"screen_share\"]", "most": 200}, "media": {"audio": "audio.lk-participant-media-audio", "video": ".lk-participant-tile[data-lk-local-participant=\"false\"][data-lk-video-muted=\"false\"][data-lk-source=\"camera\"] video.lk-participant-media-video"}})