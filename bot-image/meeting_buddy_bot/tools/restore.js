// Runs in each frame of a saved page, in an isolated world: gives each element the size and visibility that it had when
// platforms/document.js saved it, because the page's style sheets were not saved.
(() => {
  const MARK = 'data-mb-look';
  const rootsBelow = root => [root, ...[...root.querySelectorAll('*')]
    .flatMap(each => each.shadowRoot ? rootsBelow(each.shadowRoot) : [])];
  const marked = rootsBelow(document).flatMap(root => [...root.querySelectorAll(`[${MARK}]`)]);
  const put = (element, styles) => {
    for (const [name, value] of Object.entries(styles)) element.style.setProperty(name, value, 'important');
  };
  const sized = [];
  for (const element of marked) {
    const [size, display, ...flags] = element.getAttribute(MARK).split(' ');
    element.removeAttribute(MARK);
    if (size === 'none') { put(element, {display: 'none'}); continue; }
    const [width, height] = size.split('x').map(Number);
    put(element, {display, visibility: flags.includes('hidden') ? 'hidden' : 'visible', opacity: flags.includes('clear') ? '0' : '1'});
    if (display === 'contents') continue;
    sized.push([element, width, height]);
    const bare = width && height ? {} : {padding: '0', border: '0'};
    put(element, {
      'box-sizing': 'border-box', ...bare,
      'width': `${width}px`, 'min-width': `${width}px`, 'max-width': `${width}px`,
      'height': `${height}px`, 'min-height': `${height}px`, 'max-height': `${height}px`,
    });
  }
  // What flows as text takes no size; where it must be there, or must not, it becomes a box.
  for (const [element, width, height] of sized) {
    const box = element.getBoundingClientRect();
    if ((width > 0 && height > 0) !== (box.width > 0 && box.height > 0)) put(element, {display: 'inline-block'});
  }
  return marked.length;
})()
