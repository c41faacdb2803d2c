// Runs in one frame, in an isolated world: a copy of the document as text, without what was typed, without scripts and
// without the queries and fragments of addresses. The document itself is not changed.
(() => {
  const copy = document.documentElement.cloneNode(true);
  copy.querySelectorAll('script, noscript, style, template, meta[http-equiv], link[rel=preload]').forEach(each => each.remove());
  copy.querySelectorAll('input, textarea, select, option, [contenteditable]').forEach(each => {
    each.removeAttribute('value');
    each.removeAttribute('checked');
    if (each.matches('textarea, [contenteditable]')) each.textContent = '';
  });
  for (const element of [copy, ...copy.querySelectorAll('*')]) {
    for (const {name, value} of [...element.attributes]) {
      if (/^data:/i.test(value)) element.setAttribute(name, 'data:');
      else if (/[?#]/.test(value) && /^([a-z]+:)?\/|^\?|^#\S{8}/i.test(value.trim())) {
        element.setAttribute(name, value.replace(/[?#].*$/s, '?…'));
      }
    }
  }
  const comments = document.createTreeWalker(copy, NodeFilter.SHOW_COMMENT);
  const found = [];
  while (comments.nextNode()) found.push(comments.currentNode);
  found.forEach(each => each.remove());
  return copy.outerHTML.toWellFormed();
})()
