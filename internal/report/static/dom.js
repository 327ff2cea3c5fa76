'use strict';
// h makes an element. Whatever is not an element becomes a text node: nothing of
// a log is ever read as HTML.
function h(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props || {})) {
    if (v === undefined || v === null || v === false) continue;
    if (k === 'class') e.className = v;
    else if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (k === 'value') e.value = v;
    else e.setAttribute(k, v === true ? '' : v);
  }
  put(e, children);
  return e;
}

function put(e, children) {
  for (const c of [children].flat(Infinity)) {
    if (c === undefined || c === null || c === false || c === '') continue;
    e.append(c instanceof Node ? c : document.createTextNode(String(c)));
  }
  return e;
}

function fill(e, ...children) {
  e.replaceChildren();
  return put(e, children);
}

// to makes the address of a view of this page.
function to(...path) {
  return '#/' + path.map(encodeURIComponent).join('/');
}

function query(params) {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) if (v) q.set(k, v);
  const s = q.toString();
  return s ? '?' + s : '';
}

// external is a link to the outside, if it is one that a browser may follow.
function external(url) {
  if (!/^https?:\/\//.test(url)) return h('span', null, url);
  return h('a', {href: url, rel: 'noopener noreferrer', target: '_blank'}, url.replace(/^https?:\/\//, ''));
}

// prose sets codes in backticks apart.
function prose(text) {
  return text.split(/(`[^`]+`)/).map((s) => s.length > 2 && s.startsWith('`') && s.endsWith('`') ? h('code', null, s.slice(1, -1)) : s);
}
