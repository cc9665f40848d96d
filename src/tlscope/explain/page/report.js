'use strict';
(() => {
  const all = (root, what) => Array.from(root.querySelectorAll(what));
  const page = document.documentElement;
  page.classList.add('js');
  let shown = null, from = null;

  const openers = panel => all(panel.closest('.handshake'), `.picture [data-event="${panel.dataset.event}"], .ladder [data-event="${panel.dataset.event}"]`);

  function close(back) {
    if (!shown) return;
    shown.classList.remove('shown');
    openers(shown).forEach(one => one.setAttribute('aria-expanded', 'false'));
    document.body.classList.remove('open');
    shown = null;
    if (back && from) from.focus();
  }

  function open(panel, opener, focus) {
    close(false);
    shown = panel;
    from = opener || openers(panel).find(one => one.getClientRects().length) || null;
    panel.classList.add('shown');
    document.body.classList.add('open');
    openers(panel).forEach(one => one.setAttribute('aria-expanded', 'true'));
    if (from) from.scrollIntoView({block: 'nearest'});
    if (focus) panel.querySelector('h4').focus({preventScroll: true});
  }

  function beside(panel, step) {
    const panels = all(panel.closest('.panels'), '.panel');
    const next = panels[panels.indexOf(panel) + step];
    if (next) open(next, null, true);
  }

  // What opens a panel: the groups of the picture and the buttons of the list.
  for (const panel of all(document, '.panel')) {
    for (const opener of openers(panel)) {
      opener.setAttribute('aria-expanded', 'false');
      opener.setAttribute('aria-controls', panel.id);
      if (opener instanceof SVGElement) {
        opener.setAttribute('role', 'button');
        opener.setAttribute('tabindex', '0');
        const edge = opener.getBBox();
        const hit = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
        if (edge.width) {
          for (const [name, value] of [['x', edge.x - 8], ['y', edge.y - 3], ['width', edge.width + 16], ['height', edge.height + 8], ['rx', 6], ['class', 'hit']]) hit.setAttribute(name, value);
        }
        opener.insertBefore(hit, opener.firstChild.nextSibling);
        opener.addEventListener('keydown', event => {
          if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); open(panel, opener, true); }
          const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
          if (step) {
            event.preventDefault();
            const siblings = all(opener.closest('svg'), '[tabindex]');
            const next = siblings[siblings.indexOf(opener) + step];
            if (next) { next.focus(); next.scrollIntoView({block: 'nearest'}); }
          }
        });
      }
      opener.addEventListener('click', () => shown === panel ? close(true) : open(panel, opener, true));
    }
    panel.querySelector('.close').addEventListener('click', () => close(true));
    panel.querySelector('.before').addEventListener('click', () => beside(panel, -1));
    panel.querySelector('.after').addEventListener('click', () => beside(panel, 1));
    const tree = panel.querySelector('.tree');
    if (tree) dissect(tree, panel.querySelector('.hex'));
  }
  document.addEventListener('keydown', event => { if (event.key === 'Escape') close(true); });

  // A tree and its bytes (the tree pattern of the ARIA practices).
  function dissect(tree, hex) {
    const fields = all(tree, '[data-leaves]');
    const bytes = hex ? all(hex, '[data-leaf]') : [];
    const range = field => field.dataset.leaves.split('-').map(Number);
    const visible = field => {
      for (let up = field.parentElement.closest('li'); up; up = up.parentElement.closest('li')) {
        if (up.getAttribute('aria-expanded') === 'false') return false;
      }
      return true;
    };
    let current = fields[0];

    function select(field, focus, reveal) {
      current.setAttribute('aria-selected', 'false');
      current.tabIndex = -1;
      current = field;
      field.setAttribute('aria-selected', 'true');
      field.tabIndex = 0;
      for (let up = field.parentElement.closest('li'); up; up = up.parentElement.closest('li')) up.setAttribute('aria-expanded', 'true');
      const [first, last] = range(field);
      bytes.forEach(one => one.classList.toggle('lit', one.dataset.leaf >= first && one.dataset.leaf <= last));
      if (focus) field.focus({preventScroll: true});
      field.firstElementChild.scrollIntoView({block: 'nearest'});
      if (reveal && bytes[first]) bytes[first].scrollIntoView({block: 'nearest'});
    }

    const toggle = (field, how) => field.hasAttribute('aria-expanded') && field.setAttribute('aria-expanded', String(how));

    tree.addEventListener('click', event => {
      if (event.target.closest('a')) return;
      const field = event.target.closest('[data-leaves]');
      if (!field) return;
      if (field === current && field.getAttribute('aria-selected') === 'true' || event.offsetX < 22 && event.target === field.firstElementChild)
        toggle(field, field.getAttribute('aria-expanded') !== 'true');
      else if (field.getAttribute('aria-expanded') === 'false') toggle(field, true);
      select(field, true, true);
    });
    tree.addEventListener('keydown', event => {
      const list = fields.filter(visible), at = list.indexOf(current);
      const expanded = current.getAttribute('aria-expanded');
      let next = null;
      if (event.key === 'ArrowDown') next = list[at + 1];
      else if (event.key === 'ArrowUp') next = list[at - 1];
      else if (event.key === 'Home') next = list[0];
      else if (event.key === 'End') next = list[list.length - 1];
      else if (event.key === 'ArrowRight') { if (expanded === 'false') toggle(current, true); else if (expanded) next = list[at + 1]; }
      else if (event.key === 'ArrowLeft') { if (expanded === 'true') toggle(current, false); else next = current.parentElement.closest('li'); }
      else if (event.key === 'Enter' || event.key === ' ') { if (expanded) toggle(current, expanded !== 'true'); next = current; }
      else return;
      event.preventDefault();
      event.stopPropagation();
      if (next) select(next, true, true);
    });
    tree.addEventListener('focusin', event => {
      if (event.target === current && current.getAttribute('aria-selected') !== 'true') select(current, false, true);
    });
    if (!hex) return;
    const leafOf = number => fields.find(one => one.dataset.leaves === `${number}-${number}` && !one.hasAttribute('aria-expanded'));
    hex.addEventListener('click', event => {
      const byte = event.target.closest('[data-leaf]');
      if (byte) select(leafOf(byte.dataset.leaf), false, false);
    });
    hex.addEventListener('keydown', event => {
      const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
      if (!step) return;
      event.preventDefault();
      const [first, last] = current.getAttribute('aria-selected') === 'true' ? range(current) : [0, -1];
      const field = leafOf(step > 0 ? last + 1 : first - 1);
      if (field) select(field, false, true);
    });
  }

  // A link to one message: #h1-panel-3.
  const wanted = location.hash && document.getElementById(location.hash.slice(1));
  if (wanted && wanted.classList.contains('panel')) open(wanted, null, true);
})();
