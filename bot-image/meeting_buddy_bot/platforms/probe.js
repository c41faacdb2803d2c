// Runs once in each document, in an isolated world: makes `look`, which reads, and `point`, which finds where to act.
// Neither changes the document. `config` is put in by probe.py.
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

  // What elements of a role are called in HTML; `null`: only an attribute gives the role.
  const ROLES = {
    alert: null, alertdialog: null, banner: 'body > header',
    button: 'button, summary, input:is([type=button], [type=submit], [type=reset], [type=image])',
    checkbox: 'input[type=checkbox]:not([switch])', combobox: 'select:not([multiple], [size])', dialog: 'dialog',
    group: 'fieldset, details', heading: 'h1, h2, h3, h4, h5, h6', img: 'img', link: 'a[href], area[href]',
    list: 'ul, ol, menu', listitem: 'li', menu: null, menuitem: null, radio: 'input[type=radio]',
    region: 'section:is([aria-label], [aria-labelledby])', status: 'output', switch: 'input[type=checkbox][switch]',
    tab: null,
    textbox: 'textarea, input:is(:not([type]), [type=text], [type=email], [type=tel], [type=url], [type=password])',
    toolbar: null, tree: null, treeitem: null,
  };
  const NAMED_BY_CONTENT = new Set(['button', 'checkbox', 'heading', 'link', 'menuitem', 'radio', 'switch', 'tab', 'treeitem']);
  const NAMED = '[aria-label], [aria-labelledby], [title], [placeholder], [alt], input, textarea, select, fieldset, ' +
    Object.entries(ROLES).filter(([role]) => NAMED_BY_CONTENT.has(role)).map(([role, css]) => `[role~=${role}]${css ? ', ' + css : ''}`).join(', ');

  // ---- What one look knows; thrown away with it.
  let roots, pageText, found, names, byRole, bad;
  const begin = () => {
    roots = null; pageText = null; found = new Map(); names = new Map(); byRole = new Map(); bad = new Set();
  };

  // The document and every open shadow root. In a large document they are searched for once a second: that takes longer
  // than all the rest of a look.
  const LARGE = 3000, SEARCH_EVERY = 1000;
  let known = [], searched = -Infinity;
  const allRoots = () => {
    if (roots) return roots;
    if (document.getElementsByTagName('*').length < LARGE || performance.now() - searched > SEARCH_EVERY) {
      known = [];
      searched = performance.now();
      const search = root => {
        for (const element of root.querySelectorAll('*')) {
          if (element.shadowRoot) { known.push(new WeakRef(element.shadowRoot)); search(element.shadowRoot); }
        }
      };
      search(document);
    }
    return roots = [document, ...known.map(each => each.deref()).filter(root => root?.host.isConnected)];
  };
  const query = css => {
    try { return allRoots().flatMap(root => [...root.querySelectorAll(css)]); } catch { bad.add(css); return []; }
  };
  const matches = (element, css) => { try { return element.matches(css); } catch { bad.add(css); return false; } };
  const parent = node => node.assignedSlot ?? node.parentNode ?? node.host ?? null;
  const inside = (element, outer) => {
    for (let node = element; node; node = node.parentNode ?? node.host) if (node === outer) return true;
    return false;
  };
  const shown = element => {
    if (!element.checkVisibility({opacityProperty: true, visibilityProperty: true})) return false;
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0;
  };

  // ---- Texts and names.
  const rendered = element => element.innerText ?? element.textContent;
  // Of an element with all that its shadow roots show.
  const textOf = element => {
    const parts = [rendered(element)];
    for (const root of allRoots()) {
      if (root !== document && inside(root.host, element)) parts.push(textOfRoot(root));
    }
    return fold(parts.join(' '));
  };
  const textOfRoot = root =>
    [...root.children].filter(each => each.checkVisibility()).map(rendered).join(' ');
  const text = () => pageText ??= innerWidth === 0 || !document.body?.checkVisibility() ? '' :
    fold([rendered(document.body), ...allRoots().slice(1).map(textOfRoot)].join(' '));

  // Accessible names (W3C accname 1.2, the steps that interactive elements and headings need).
  const nameOf = element => {
    if (!names.has(element)) names.set(element, fold(computeName(element)));
    return names.get(element);
  };
  const computeName = element => {
    const ids = element.getAttribute('aria-labelledby');
    if (ids) {
      const labels = ids.split(/\s+/).map(id => element.getRootNode().getElementById?.(id)).filter(Boolean);
      if (labels.length) return labels.map(each => each.getAttribute('aria-label') || contentOf(each, true)).join(' ');
    }
    return element.getAttribute('aria-label')?.trim() || nativeName(element)
      || (NAMED_BY_CONTENT.has(roleOf(element)) && contentOf(element).trim())
      || element.getAttribute('title') || element.getAttribute('placeholder')
      || element.getAttribute('aria-placeholder') || '';
  };
  const nativeName = element => {
    if (element.labels?.length) return [...element.labels].map(each => contentOf(each)).join(' ').trim();
    switch (element.localName) {
      case 'img': case 'area': return element.alt;
      case 'input':
        if (element.type === 'image') return element.alt || element.title || 'Submit';
        if (['button', 'submit', 'reset'].includes(element.type)) {
          return element.value || {submit: 'Submit', reset: 'Reset'}[element.type] || '';
        }
        return '';
      case 'fieldset': return element.querySelector(':scope > legend')?.innerText ?? '';
      default: return '';
    }
  };
  // `whole`: hidden parts too, as for the target of aria-labelledby.
  const contentOf = (node, whole = false) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    const children = node.shadowRoot?.childNodes ??
      (node.localName === 'slot' && node.assignedNodes().length ? node.assignedNodes() : node.childNodes);
    let text = '';
    for (const child of children) {
      if (child.nodeType === Node.TEXT_NODE) { text += child.data; continue; }
      // A field inside a label is what the label names, not a part of its name.
      if (child.nodeType !== Node.ELEMENT_NODE || child.matches('style, script, template, input, textarea, select')) continue;
      if (!whole && child.localName !== 'slot'
        && (child.ariaHidden === 'true' || !child.checkVisibility({visibilityProperty: true}))) continue;
      const own = child.getAttribute('aria-label')?.trim() || (child.localName === 'img' ? child.alt : '');
      const block = child.localName !== 'slot' && getComputedStyle(child).display !== 'inline';
      text += block ? ` ${own || contentOf(child, whole)} ` : own || contentOf(child, whole);
    }
    return text;
  };
  const roleOf = element => {
    const given = element.getAttribute('role');
    if (given?.trim()) return given.trim().split(/\s+/)[0].toLowerCase();
    return Object.keys(ROLES).find(role => ROLES[role] && element.matches(ROLES[role])) ?? '';
  };
  const ofRole = role => {
    if (!byRole.has(role)) {
      const css = `[role~="${role}" i]${ROLES[role] ? ', ' + ROLES[role] : ''}`;
      byRole.set(role, query(css).filter(element => roleOf(element) === role));
    }
    return byRole.get(role);
  };
  // `*` in a name stands for anything.
  const fits = (name, parts) => {
    if (parts.length === 1) return name === parts[0];
    if (!name.startsWith(parts[0])) return false;
    let at = parts[0].length;
    for (const part of parts.slice(1, -1)) {
      const next = name.indexOf(part, at);
      if (next < 0) return false;
      at = next + part.length;
    }
    return name.length - at >= parts.at(-1).length && name.endsWith(parts.at(-1));
  };

  // ---- Locators.
  const innermost = elements => {
    const all = new Set(elements), outer = new Set();
    for (const element of elements) {
      for (let node = element.parentNode ?? element.host; node && !outer.has(node); node = node.parentNode ?? node.host) {
        if (all.has(node)) outer.add(node);
      }
    }
    return elements.filter(element => !outer.has(element));
  };
  const withText = wanted => {
    // Down from the top, only where the text is.
    const has = element => textOf(element).includes(wanted);
    const holders = [];
    const visit = element => {
      if (!has(element)) return;
      const below = [...(element.shadowRoot?.children ?? []), ...element.children].filter(each => !each.matches('style, script'));
      const before = holders.length;
      below.forEach(visit);
      if (holders.length === before) holders.push(element);
    };
    if (document.body) visit(document.body);
    return holders;
  };
  const locate = locator => {
    if (locator.frame !== null && !location.href.toLowerCase().includes(locator.frame)) return [];
    // One search through the page's text is cheaper than one through its elements.
    if (locator.text !== null && locator.visible && !text().includes(locator.text)) return [];
    const bare = locator.css === null && locator.role === null && locator.name === null;
    let elements = locator.css !== null ? query(locator.css)
      : locator.role !== null ? ofRole(locator.role)
      : locator.name !== null ? query(NAMED)
      : withText(locator.text);
    if (locator.css !== null && locator.role !== null) elements = elements.filter(each => roleOf(each) === locator.role);
    if (locator.within !== null) {
      const outer = element(locator.within);
      elements = elements.filter(each => outer.some(one => one !== each && inside(each, one)));
    }
    if (locator.name !== null) elements = elements.filter(each => fits(nameOf(each), locator.name));
    if (locator.visible) elements = elements.filter(shown);
    if (locator.text !== null && !bare) elements = elements.filter(each => textOf(each).includes(locator.text));
    if (locator.minWidth || locator.minHeight) {
      elements = elements.filter(each => {
        const box = each.getBoundingClientRect();
        return box.width >= locator.minWidth && box.height >= locator.minHeight;
      });
    }
    return locator.nth === null ? elements : [elements.at(locator.nth)].filter(Boolean);
  };
  const first = alternatives => {
    for (const locator of alternatives) {
      const elements = locate(locator);
      if (elements.length) return elements;
    }
    return [];
  };
  const element = name => {
    if (!found.has(name)) {
      found.set(name, []);  // ends a cycle, which the table has not
      found.set(name, first(config.elements[name]));
    }
    return found.get(name);
  };
  // Whether it is there: what is only asked for its text needs no search among elements.
  const present = name => {
    if (found.has(name)) return found.get(name).length > 0;
    for (const locator of config.elements[name]) {
      const {css, role, name: named, text: wanted, within, nth, frame, visible, minWidth, minHeight} = locator;
      if (wanted !== null && visible && [css, role, named, within, nth, frame].every(each => each === null) && !minWidth && !minHeight) {
        if (text().includes(wanted)) return true;
      } else if (locate(locator).length) return true;
    }
    found.set(name, []);
    return false;
  };

  // ---- What can be asked of an element.
  const inner = host => host.shadowRoot?.querySelector('input, textarea, select') ?? host;
  const isEnabled = element => !element.matches(':disabled') && !inner(element).matches(':disabled')
    && element.getAttribute('disabled') === null && element.ariaDisabled !== 'true';
  const isOn = element => {
    for (const value of [element.ariaPressed, element.ariaChecked, inner(element).ariaChecked]) {
      if (value !== null && value !== undefined) return value === 'true';
    }
    return Boolean(inner(element).checked);
  };
  const holdsText = element => inner(element).value ?? element.value ?? element.textContent;
  // What it says how many there are; "+3" is how many more.
  const numberIn = element => {
    const digits = /(?<![+\d])\d+/.exec(`${textOf(element)} ${nameOf(element)}`.replace(/(\d)[,.'\u00a0](?=\d{3}\b)/g, '$1'));
    return digits ? Number(digits[0]) : null;
  };

  // What the first locator says that finds an element with a number: another's may have lost its own.
  const counted = locators => {
    for (const locator of locators) {
      const [one] = locate(locator);
      const number = one ? numberIn(one) : null;
      if (number !== null) return number;
    }
    return null;
  };

  const holds = match => {
    if (match.path !== null && location.pathname !== match.path) return false;
    if (match.url !== null && !location.href.toLowerCase().includes(match.url)) return false;
    if (match.title !== null && !fold(document.title).includes(match.title)) return false;
    if (match.element === null) return true;
    const {atLeast, enabled, on, number} = match;
    if (atLeast === 1 && enabled === null && on === null && number === null) return present(match.element);
    const elements = element(match.element);
    if (elements.length < atLeast) return false;
    if (enabled !== null && isEnabled(elements[0]) !== enabled) return false;
    if (on !== null && isOn(elements[0]) !== on) return false;
    if (number === null) return true;
    const value = numberIn(elements[0]);
    return value !== null && value >= (number.min ?? -Infinity) && value <= (number.max ?? Infinity);
  };
  // Whether a step's target can be acted on as the step wants.
  const ready = ({target, verb, value}) => {
    const [one] = element(target);
    if (!one) return false;
    if (verb === 'type') return isEnabled(one) && holdsText(one) !== value;
    if (verb === 'toggleOff') return isEnabled(one) && isOn(one);
    return verb !== 'click' || isEnabled(one);
  };

  // ---- People.
  const marked = (tile, marks) => marks.some(({css, text: wanted, style}) => {
    const candidates = matches(tile, css) ? [tile] : below(tile, css);
    return candidates.some(each => (wanted === null || textOf(each).includes(wanted))
      && (!style.length || (computed => style.every(([name, value]) => fold(computed.getPropertyValue(name)) === value))(getComputedStyle(each))));
  });
  const below = (tile, css) => {
    try {
      const light = [...tile.querySelectorAll(css)];
      if (light.length || allRoots().length === 1) return light;
    } catch { bad.add(css); return []; }
    return query(css).filter(each => inside(each, tile));
  };
  const named = tile => {
    for (const {css, attribute, before} of config.participants.name) {
      const holder = css === null || matches(tile, css) ? tile : below(tile, css)[0];
      let name = holder && (attribute === null ? holder.innerText || holder.textContent : holder.getAttribute(attribute));
      if (!name) continue;
      name = name.replace(/\s+/g, ' ');
      if (before !== null && name.includes(before)) name = name.slice(0, name.indexOf(before));
      if (name.trim()) return bounded(name.trim());
    }
    return '';
  };

  // Elements are told apart by numbers: one that came must not look like one that advanced.
  const numbers = new WeakMap();
  let last = 0;
  const identity = element => {
    if (!numbers.has(element)) numbers.set(element, ++last);
    return numbers.get(element);
  };
  const media = (css, clock) =>
    css === null ? [] : query(css).slice(0, 100).map(each => [identity(each), clock(each) ?? 0]);

  const look = () => {
    const began = performance.now();
    begin();
    const {participants} = config;
    const seen = config.matches.map(holds);
    const actable = config.targets.map(ready);
    const tiles = first(participants.tile).filter(tile => !marked(tile, participants.screenShare));
    const people = tiles.slice(0, participants.most).map(tile => ({
      name: named(tile), own: marked(tile, participants.own), speaking: marked(tile, participants.speaking),
    }));
    const [navigation] = performance.getEntriesByType('navigation');
    const answer = {
      seen, actable, people,
      count: participants.count === null ? null : counted(config.elements[participants.count]),
      audio: media(config.media.audio, each => each.currentTime),
      video: media(config.media.video, each => each.getVideoPlaybackQuality?.().totalVideoFrames),
      status: navigation ? navigation.responseStatus : 0,
      bad: [...bad],
      seconds: (performance.now() - began) / 1000,
    };
    begin();  // nothing of the document is held between two looks
    return answer;
  };

  // The middle of an element, in the frame's own view, once it is scrolled there; what lies over it, if anything does.
  const point = name => {
    begin();
    const [target] = element(name);
    begin();
    if (!target) return null;
    target.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
    const box = [...target.getClientRects()].find(each => each.width > 0 && each.height > 0);
    if (!box) return null;
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    let hit = document.elementFromPoint(x, y);
    for (let root = hit?.shadowRoot; root; root = hit?.shadowRoot) {
      const deeper = root.elementFromPoint(x, y);
      if (!deeper || deeper === hit) break;
      hit = deeper;
    }
    let free = false;
    for (let node = hit; node && !free; node = parent(node)) {
      free = node === target || Boolean(target.labels && [...target.labels].includes(node)) || node.control === target;
    }
    const cover = hit && `${hit.localName}${hit.id ? '#' + hit.id : ''}`;
    return {x, y, cover: free ? null : cover ?? 'nothing'};
  };
  const focus = name => {
    begin();
    const [target] = element(name);
    begin();
    if (target) inner(target).focus();
    return Boolean(target);
  };

  globalThis.meetingBuddy = {look, point, focus};
})
