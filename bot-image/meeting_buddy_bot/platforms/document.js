// Runs in one frame, in an isolated world: the document as text with its open shadow roots, without what was typed,
// without scripts, style sheets and the queries and fragments of addresses. The document itself is not changed.
//
// Styles stay behind, mostly because a script cannot read those of another host; what they made of each element is kept
// in `data-mb-look`: "none", or "WIDTHxHEIGHT DISPLAY", then "hidden" (visibility) and "clear" (opacity 0) where it is so.
// tools/restore.js draws a copy by it.
(() => {
  const LEFT_OUT = 'script, noscript, style, meta[http-equiv], link[rel=preload]';
  const UNSEEN = 'html, head, head *, slot, template, option, source, track, br, wbr';
  const EDITABLE = '[contenteditable]:not([contenteditable=false])';
  const BUTTONS = 'button, submit, reset, image'.split(', '), SWITCHES = ['checkbox', 'radio'];
  const NOT_TYPED = [...SWITCHES, 'hidden', 'range', 'color', 'file'];
  // What holds addresses, absolute or relative, one or a list of them. Styles may hold some.
  const ADDRESSES = new RegExp('^(xlink:)?(href|src|action|formaction|srcset|imagesrcset|poster|data|cite|ping|' +
    'background|style|data-.*(url|uri|href|src|link|action).*)$', 'i');
  const ADDRESS = /^([a-z][a-z\d+.-]*:)?\/|^[a-z][a-z\d+.-]*:\S+\?|^\?|^#\S{8}/i;  // in whatever other attribute
  const TYPED = '…';  // stands for whatever a field holds
  // Node by node: pages with Trusted Types let nobody make a document of a text.
  const paper = document.implementation.createHTMLDocument('');  // has no view: nothing in it is loaded or run
  const shadowRoots = [];
  // `drawn`: whether no element around it is left out of the picture.
  const copyOf = (node, drawn) => {
    const copy = paper.importNode(node, false);
    if (node.nodeType === Node.ELEMENT_NODE) {
      clean(copy, node);
      if (drawn) drawn = mark(copy, node);
    }
    if (node.shadowRoot) {
      try {
        const shadow = copy.attachShadow({mode: 'open'});
        shadowRoots.push(shadow);
        shadow.append(...childrenOf(node.shadowRoot, drawn));
      } catch {}  // what is no valid host in a document without scripts is left out
    }
    if (copy.matches?.(`textarea, ${EDITABLE}`)) copy.textContent = String(node.value ?? node.textContent).trim() && TYPED;
    else copy.append?.(...childrenOf(node.localName === 'template' ? node.content : node, drawn));
    return copy;
  };
  const childrenOf = (node, drawn) => [...node.childNodes]
    .filter(each => each.nodeType !== Node.COMMENT_NODE && !each.matches?.(LEFT_OUT)).map(each => copyOf(each, drawn));
  const mark = (copy, node) => {
    if (node.matches(UNSEEN) || !(node instanceof HTMLElement || node.localName === 'svg')) return true;
    const style = getComputedStyle(node), {width, height} = node.getBoundingClientRect();
    const drawn = style.display !== 'none';
    copy.setAttribute('data-mb-look', !drawn ? 'none' : [
      `${Math.ceil(width)}x${Math.ceil(height)}`, style.display.split(' ')[0],
      ...(style.visibility === 'visible' ? [] : ['hidden']), ...(style.opacity === '0' ? ['clear'] : []),
    ].join(' '));
    return drawn;
  };
  const withoutQuery = (name, value) => {
    if (/^#\S{0,7}$/.test(value.trim())) return value;  // an element of this document
    return value.replace(name === 'style' ? /\?.*|(?<=url\([^)]*)#.*/is : /[?#].*/s, '?…');  // colours begin with #
  };
  const clean = (copy, node) => {
    copy.removeAttribute('data-mb-look');  // of the page's own making
    if (copy.localName === 'input') {
      if (!BUTTONS.includes(node.type)) copy.removeAttribute('value');
      if (node.value && !BUTTONS.includes(node.type) && !NOT_TYPED.includes(node.type)) copy.setAttribute('value', TYPED);
      if (SWITCHES.includes(node.type)) copy.toggleAttribute('checked', node.checked);
    } else if (copy.matches('textarea, select, option')) copy.removeAttribute('value');
    if (copy.localName === 'iframe') place(copy, node);
    for (const {name, value} of [...copy.attributes]) {
      if (/^on/i.test(name)) copy.removeAttribute(name);  // a script
      else if (/^data:/i.test(value)) put(copy, name, 'data:');
      else if (ADDRESSES.test(name) || ADDRESS.test(value.trim())) put(copy, name, withoutQuery(name, value));
    }
  };
  // What a page with Trusted Types lets nobody write, such as an address of what runs, is left out.
  const put = (copy, name, value) => {
    if (copy.getAttribute(name) === value) return;
    try { copy.setAttribute(name, value); } catch { copy.removeAttribute(name); }
  };
  // A frame's document is written down by itself; here it is only told by host and path, as above that document.
  const place = (copy, node) => {
    copy.removeAttribute('srcdoc');
    copy.removeAttribute('loading');
    if (!/^https?:/.test(node.src)) return;
    const {host, pathname} = new URL(node.src);
    copy.setAttribute('src', `//${host}${pathname}`);
  };
  const holder = paper.createElement('div');
  holder.append(copyOf(document.documentElement, true));
  return {host: location.host, path: location.pathname, html: holder.getHTML({shadowRoots}).toWellFormed()};
})()
