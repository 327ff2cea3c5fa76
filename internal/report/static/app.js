'use strict';
// The frame around the views: header, addresses, language, token.
const VIEWS = {'': nowView, events: eventsView, code: codeView, user: userView, event: eventView, files: filesView};
const main = h('main', {id: 'main', tabindex: '-1'});
const banner = h('div', {class: 'banner', role: 'alert', hidden: true});
let current = null;

function route() {
  const [path, search] = location.hash.replace(/^#\/?/, '').split('?');
  return {path: path.split('/').map((s) => { try { return decodeURIComponent(s); } catch { return s; } }), params: new URLSearchParams(search || '')};
}

async function go(focus) {
  current?.abort();
  const mine = current = new AbortController();
  const r = route();
  const view = VIEWS[r.path[0]];
  drawHeader(r.path[0]);
  if (focus) { main.focus({preventScroll: true}); scrollTo(0, 0); } // at once: who is typing must not lose the place
  main.classList.add('changing');
  try {
    if (view) await view(main, r, mine.signal);
    else fill(main, empty(T.not_found, h('p', null, h('a', {href: '#/'}, T.back))));
    if (!mine.signal.aborted) { connected(true); document.title = [main.querySelector('h1')?.textContent, 'imwatch'].filter(Boolean).join(' · '); }
  } catch (err) {
    if (mine.signal.aborted) return;
    if (err instanceof Refused) refused();
    else { fill(main, failure(err, () => go())); }
  }
  main.classList.remove('changing');
}

// connected tells when the daemon is away, and when it is back.
function connected(yes) {
  banner.hidden = yes;
  if (!yes) fill(banner, h('b', null, T.gone), ' ', T.gone_1);
}

function refused() {
  current?.abort();
  const bad = token !== '';
  const input = h('input', {type: 'password', name: 'token', autocomplete: 'off', spellcheck: 'false', 'aria-label': T.token, required: true});
  fill(main, h('form', {class: 'empty', onsubmit: (ev) => { ev.preventDefault(); token = input.value.trim(); storage.set('imwatch.token', token); go(); }},
    h('h1', null, T.token), h('p', null, T.token_1), h('p', {class: 'token'}, input, h('button', null, T.open)), bad ? h('p', {class: 'bad'}, T.token_bad) : null,
    h('p', null, T.token_2), h('pre', null, 'sudo cat /var/lib/imwatch/token')));
  input.focus();
}

const header = h('header');
const results = h('ul', {class: 'results', hidden: true, 'aria-label': 'codes'});
let search = null;

function drawHeader(active) {
  const link = (name, href, text) => h('a', {href, 'aria-current': active === name ? 'page' : null}, text);
  const keep = search?.value || '';
  search = h('input', {type: 'search', class: 'find', placeholder: T.find, 'aria-label': T.find, autocomplete: 'off', spellcheck: 'false', value: keep, oninput: find, onkeydown: findKeys});
  fill(header,
    h('button', {class: 'skip', onclick: () => main.focus()}, T.skip),
    h('a', {class: 'brand', href: '#/'}, 'imwatch'),
    h('nav', {class: 'views'}, link('', '#/', REPORT ? T.report : T.now), link('events', '#/events', T.events), link('files', '#/files', T.files)),
    h('div', {class: 'finder', onfocusout: (ev) => { if (!ev.currentTarget.contains(ev.relatedTarget)) results.hidden = true; }}, search, results),
    h('button', {class: 'lang', lang: lang === 'zh' ? 'en' : 'zh-CN', title: T.languageName, onclick: () => { setLanguage(lang === 'zh' ? 'en' : 'zh'); storage.set('imwatch.language', lang); search = null; go(); header.querySelector('.lang').focus(); }}, T.language));
}

let finding = null;
async function find() {
  finding?.abort();
  finding = new AbortController();
  const q = search.value.trim().replace(/^\/+/, ''); // the key that leads here
  if (!q) { results.hidden = true; return; }
  try {
    const hits = await ask('find', {q}, finding.signal);
    fill(results, hits.length ? hits.map((x) => h('li', null, h('a', {href: to('code', x.family, x.code), onclick: () => { results.hidden = true; search.value = ''; }}, h('b', {class: 'mono'}, `${x.family}/${x.code}`), ' ', title(x)))) : h('li', {class: 'none'}, T.nothing_found));
    results.hidden = false;
  } catch (err) {
    if (err instanceof Refused) refused();
  }
}

function findKeys(ev) {
  if (ev.key === 'Escape') { search.value = ''; results.hidden = true; }
  if (ev.key === 'ArrowDown') {
    ev.preventDefault();
    const first = results.querySelector('a');
    if (first) { finding?.abort(); first.focus(); } // a later answer would take it away
  }
  if (ev.key === 'Enter') { ev.preventDefault(); results.querySelector('a')?.click(); }
}
results.addEventListener('keydown', (ev) => {
  const step = {ArrowDown: 1, ArrowUp: -1}[ev.key];
  if (!step) return;
  ev.preventDefault();
  const all = [...results.querySelectorAll('a')], i = all.indexOf(document.activeElement) + step;
  (i < 0 ? search : all[Math.min(i, all.length - 1)]).focus();
});

document.addEventListener('keydown', (ev) => {
  if (ev.key === '/' && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName)) { ev.preventDefault(); search?.focus(); }
});

setLanguage(storage.get('imwatch.language') || (navigator.languages || [navigator.language]).find((l) => /^(zh|en)/.test(l))?.slice(0, 2) || 'en');
takeToken();
document.body.append(header, banner, main);
if (REPORT) document.body.append(h('footer', null, T.generated(moment(REPORT.generated)), ' · imwatch ', REPORT.version));
addEventListener('hashchange', () => go(true));
go();
