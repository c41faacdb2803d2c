// What sites do to their pages from one day to the next; each is done in every frame of a synthetic page.
({
  'classes renamed': () => {
    for (const each of document.querySelectorAll('[class]')) each.setAttribute('class', `x${Math.random().toString(36).slice(2)}`);
  },
  'ids renamed': () => {
    for (const each of document.querySelectorAll('[id]')) if (each.id !== 'root') each.id = `x${each.id}`;
  },
  'data attributes renamed': () => {
    for (const each of document.querySelectorAll('*')) {
      for (const {name, value} of [...each.attributes].filter(one => one.name.startsWith('data-'))) {
        each.setAttribute(`data-x-${name.slice(5)}`, value);
        each.removeAttribute(name);
      }
    }
  },
  'all hidden': () => {
    for (const each of document.querySelectorAll('#root > *')) each.style.display = 'none';
  },
  'texts nested and quotes curled': () => {
    const texts = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const text = walk.currentNode;
      if (text.data.trim().length > 3 && !text.parentElement.closest('script, style, textarea, option')) texts.push(text);
    }
    for (const text of texts) {
      const middle = Math.floor(text.data.length / 2);
      text.replaceWith(...[text.data.slice(0, middle), text.data.slice(middle)].map(half => {
        const span = document.createElement('span');
        span.textContent = half.replaceAll("'", '\u2019');
        return span;
      }));
    }
  },
})
