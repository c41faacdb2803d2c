// Runs in one frame, in an isolated world: the document as text with its open shadow roots, without what was typed,
// without scripts and without the queries and fragments of addresses. The document itself is not changed.
(() => {
  const LEFT_OUT = 'script, noscript, style, meta[http-equiv], link[rel=preload]';
  const TYPED = 'input, textarea, select, option, [contenteditable]';
  // Node by node: pages with Trusted Types let nobody make a document of a text.
  const paper = document.implementation.createHTMLDocument('');  // has no view: nothing in it is loaded or run
  const shadowRoots = [];
  const copyOf = node => {
    const copy = paper.importNode(node, false);
    if (node.nodeType === Node.ELEMENT_NODE) clean(copy);
    if (node.shadowRoot) {
      try {
        const shadow = copy.attachShadow({mode: 'open'});
        shadowRoots.push(shadow);
        shadow.append(...childrenOf(node.shadowRoot));
      } catch {}  // what is no valid host in a document without scripts is left out
    }
    if (!copy.matches?.('textarea, [contenteditable]')) copy.append?.(...childrenOf(node.localName === 'template' ? node.content : node));
    return copy;
  };
  const childrenOf = node => [...node.childNodes]
    .filter(each => each.nodeType !== Node.COMMENT_NODE && !each.matches?.(LEFT_OUT)).map(copyOf);
  const clean = element => {
    if (element.matches(TYPED)) { element.removeAttribute('value'); element.removeAttribute('checked'); }
    for (const {name, value} of [...element.attributes]) {
      if (/^data:/i.test(value)) element.setAttribute(name, 'data:');
      else if (/[?#]/.test(value) && /^([a-z]+:)?\/|^\?|^#\S{8}/i.test(value.trim())) {
        element.setAttribute(name, value.replace(/[?#].*$/s, '?…'));
      }
    }
  };
  const html = copyOf(document.documentElement).getHTML({shadowRoots}).toWellFormed();
  return {host: location.host, path: location.pathname, html: `<html lang="${document.documentElement.lang}">${html}</html>`};
})()
