'use strict';
// The page's words. What the catalogue says comes with the data.
const TEXT = {
  en: {
    now: 'Now', events: 'Events', files: 'Files and sinks', report: 'Overview', language: '中文', languageName: 'Switch to Chinese',
    skip: 'Skip to the content', find: 'Find a code, symbol or word', loading: 'Loading …', nothing_found: 'No code, symbol or title has this.',
    count: (n) => n === 1 ? '1 event' : `${num(n)} events`,
    in_range: {'15m': 'in the last 15 minutes', '1h': 'in the last hour', '6h': 'in the last 6 hours', '24h': 'in the last 24 hours', '7d': 'in the last 7 days', all: 'in all that is kept', report: 'in these files'},
    range: {'15m': '15 min', '1h': '1 h', '6h': '6 h', '24h': '24 h', '7d': '7 d', all: 'all'}, range_label: 'Time range',
    codes: (n) => n === 1 ? '1 code' : `${num(n)} codes`, users: (n) => n === 1 ? '1 user' : `${num(n)} users`, newest: (t) => `newest ${t}`,
    chart: 'Events per minute, by code', per_minute: 'a minute', others: 'others', top: 'Codes', latest: 'Latest', all_events: 'All events',
    partial: 'Only the newest part of what is kept was counted.', last: (t) => `last ${t}`,
    folding: (n) => n === 1 ? '1 repeat is being counted' : `${num(n)} repeats are being counted`, folding_more: 'They are told when their window ends.',
    storm: (n, code) => `A storm: ${num(n)} more of ${code}`, storm_more: (n, t) => `${n === 1 ? '1 subject' : num(n) + ' subjects'}, since ${t}; told as one event when it ends`,
    sink_fails: (s) => `Sink ${s} fails`, sink_waits: (n) => `${num(n)} events wait for it; nothing is lost while the store has room`,
    store_fails: 'The store cannot be written', unreadable: (n) => n === 1 ? '1 file cannot be read' : `${num(n)} files cannot be read`, stalled: 'A mount does not answer', lost: (n) => n === 1 ? 'Something was lost' : `${num(n)} losses`,
    undecided: (n) => n === 1 ? '1 possible code without proof of a vendor' : `${num(n)} possible codes without proof of a vendor`,
    undecided_hint: (f) => `If ${f.join(' or ')} wrote these files, say so in the source: families: [${f[0]}]`, eg: 'e.g.', see: 'See files and sinks',
    fine: (n) => n === 1 ? 'Following 1 file. Nothing is lost, nothing waits.' : `Following ${num(n)} files. Nothing is lost, nothing waits.`,
    none_yet: 'No error code yet', none_yet_1: (n) => n === 0 ? 'No file is followed yet.' : n === 1 ? '1 file is followed; no code was found in it.' : `${num(n)} files are followed; no code was found in them.`,
    none_yet_2: 'Are these the right files? See files and sinks.', none_yet_3: 'To read a whole file once: imwatch scan FILE',
    none_range: (r) => `Nothing ${r}`, none_range_1: (t) => `The newest event is of ${t}.`, show_all: 'Show all that is kept',
    none_report: 'No error code in these files', none_report_1: 'If you know which SDK wrote them, try: imwatch scan --families easemob-web FILE',
    filter: 'Filter', code: 'Code', family: 'SDK', user: 'User', level: 'Level', word: 'Text', any: 'all', at_least: (l) => `${l} and worse`, clear: 'Clear',
    level_word: {info: 'info', warn: 'warn', error: 'error', critical: 'critical'},
    live: 'Live', paused: 'Paused', pause: 'Pause', resume: 'Resume', waiting: (n) => `${num(n)} new`, older: 'Older events', no_match: 'No event matches', no_match_1: 'Leave out a filter, or wait: what comes shows up here.', no_match_report: 'Leave out a filter.',
    more_omitted: (n) => `${num(n)} more events are not in this report; imwatch scan -o ndjson has all.`,
    repeats: 'Repeats of one code within its storm window are counted, not listed.', timeline: 'Timeline', timeline_of: (u) => `What happened to ${u}`, later: (t) => `${t} later`, no_user: (u) => `No event about ${u}`, no_user_1: 'Ids are compared exactly. With subjects: hash the id is a hash here, too.',
    seen: 'Seen', seen_never: 'Not seen in what is kept.', events_of: 'Its events', also: 'The same number elsewhere', tell: 'Tell it by: ', unknown_code: (c) => `The catalogue does not have ${c}`,
    unknown_code_1: 'It may be newer than this version. codes/README.md says how to add a code of your own, without Go.',
    todo: 'What to do', lines: 'The line and what stands around it', line: 'The line', fields: 'Facts', raw: 'The event as JSON', everything: 'All about this code', samples: 'Some of its lines', in_files: 'In the files',
    more_lines: 'More lines', no_lines: 'No lines around it', confidence: {high: 'certain', medium: 'likely', low: 'uncertain'}, because: 'because of', instead: 'could also be', storm_of: (n) => `${num(n)} more findings that were counted instead of shown`, loss: 'A loss',
    no_event: 'No such event', no_event_1: 'Delivered events are kept for store.max_age, 7 days unless the configuration says otherwise.',
    f: {time: 'Time', read: 'Read', user: 'User', source: 'Source', service: 'Service', file: 'File', offset: 'Byte', rule: 'Rule', id: 'Event id', vendor_text: 'Vendor text', inner: 'Caused by', confidence: 'Confidence', status: 'HTTP status', operation: 'Operation', group: 'Group', chatroom: 'Chat room', message: 'Message', target: 'Target', session: 'Session', client: 'Client', trace: 'Trace', sdk: 'SDK version', app: 'App key', flags: 'Flags', host: 'Host', first: 'First', subjects: 'Subjects'},
    proof: {symbol: 'its symbol', sentence: 'the SDK’s own text', sdk: 'the SDK’s tag', vendor: 'a vendor’s name', range: 'a number that only this SDK uses', number: 'the number', shape: 'its form', file: 'what this file said before', families: 'the source’s families'},
    basis: {no_date: 'the line has no date', no_zone: 'the line has no time zone', read: 'the line has no time: when it was read', clamped: 'the line’s time was in the future: when it was read'},
    mode: {live: 'live', rotated: 'rotated', waiting: 'waits', unreadable: 'cannot be read', stalled: 'does not answer', stopped: 'stopped'}, lag: 'To read', path: 'Path', mode_head: 'State', no_files: 'No file is followed',
    no_files_1: 'imwatch check -c FILE --user imwatch says what a source could not read, and what would mend it.', files_head: 'Files', sinks: 'Sinks', sink: 'Sink', sent: 'Sent', backlog: 'Waiting', sink_state: 'State', sink_ok: 'takes events', failing: (t, n) => `fails since ${t}, ${n} attempts`, refused: (n) => `${num(n)} refused for good`,
    no_sinks: 'No sink. Events stay in the store; this page and imwatch events show them.', losses: 'Lost', no_losses: 'Nothing that is known.', store: 'Store', kept: (n, b) => `${num(n)} events in a file of ${b}`, undecided_head: 'Undecided', no_undecided: 'Nothing is undecided.', problems: 'Could not be read', read_files: (f, l, b) => `${num(f)} ${f === 1 ? 'file' : 'files'}, ${num(l)} lines, ${b}`,
    since: (t) => `since ${t}`, range_lost: (a, b) => `${num(a)} to ${num(b)}`, version: 'Version', running: 'Running', state_dir: 'State directory',
    token: 'This page needs its token', token_1: 'It shows lines of your logs, so it asks who is looking. Open the address that imwatch run printed, or paste the token:', token_2: 'It lies in the state directory, readable for its group:', open: 'Open', token_bad: 'That is not the token.',
    gone: 'imwatch does not answer. Trying again …', gone_1: 'systemctl status imwatch says whether it runs.', error: 'That did not work', retry: 'Try again', generated: (t) => `Report of ${t}`, not_found: 'There is no such page', back: 'To the start',
    ago: (s) => s < 5 ? 'just now' : s < 60 ? `${Math.floor(s)} s ago` : s < 3600 ? `${Math.floor(s / 60)} min ago` : s < 86400 ? `${Math.floor(s / 3600)} h ago` : null,
    span: (s) => s < 60 ? `${Math.round(s)} s` : s < 3600 ? `${Math.round(s / 60)} min` : s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`,
    new_event: (t) => `New event: ${t}`, search_results: 'In the catalogue',
  },
  zh: {
    now: '现在', events: '事件', files: '文件与输出', report: '概览', language: 'English', languageName: '切换到英文',
    skip: '跳到正文', find: '查找错误码、符号或文字', loading: '正在读取…', nothing_found: '没有这样的错误码、符号或标题。',
    count: (n) => `${num(n)} 个事件`,
    in_range: {'15m': '最近 15 分钟', '1h': '最近 1 小时', '6h': '最近 6 小时', '24h': '最近 24 小时', '7d': '最近 7 天', all: '全部保留的时间', report: '这些文件中'},
    range: {'15m': '15 分钟', '1h': '1 小时', '6h': '6 小时', '24h': '24 小时', '7d': '7 天', all: '全部'}, range_label: '时间范围',
    codes: (n) => `${num(n)} 种错误码`, users: (n) => `${num(n)} 个用户`, newest: (t) => `最新：${t}`,
    chart: '每分钟事件数，按错误码', per_minute: '每分钟', others: '其他', top: '错误码', latest: '最新事件', all_events: '全部事件',
    partial: '只统计了较新的一部分。', last: (t) => `末次 ${t}`,
    folding: (n) => `${num(n)} 次重复正在计数`, folding_more: '窗口结束时汇总。',
    storm: (n, code) => `风暴：${code} 又出现 ${num(n)} 次`, storm_more: (n, t) => `涉及 ${num(n)} 个对象，自 ${t} 起；结束时汇总成一个事件`,
    sink_fails: (s) => `输出 ${s} 失败`, sink_waits: (n) => `${num(n)} 个事件在等它；存储还有空间时不会丢失`,
    store_fails: '存储无法写入', unreadable: (n) => `${num(n)} 个文件无法读取`, stalled: '挂载点无响应', lost: (n) => `${num(n)} 处丢失`,
    undecided: (n) => `${num(n)} 处疑似错误码，无法证明属于哪家`,
    undecided_hint: (f) => `如果这些文件由 ${f.join(' 或 ')} 写出，请在来源里注明 families: [${f[0]}]`, eg: '例如', see: '查看文件与输出',
    fine: (n) => `正在跟踪 ${num(n)} 个文件，没有丢失，没有积压。`,
    none_yet: '还没有错误码', none_yet_1: (n) => n === 0 ? '还没有跟踪任何文件。' : `正在跟踪 ${num(n)} 个文件，没有发现错误码。`,
    none_yet_2: '跟踪的文件对吗？请看“文件与输出”。', none_yet_3: '想把一个文件完整读一遍：imwatch scan 文件',
    none_range: (r) => `${r}没有事件`, none_range_1: (t) => `最新的事件在 ${t}。`, show_all: '显示全部保留的事件',
    none_report: '这些文件里没有错误码', none_report_1: '如果知道是哪个 SDK 写的，请试试：imwatch scan --families easemob-web 文件',
    filter: '筛选', code: '错误码', family: 'SDK', user: '用户', level: '级别', word: '文字', any: '全部', at_least: (l) => `${l}及以上`, clear: '清除',
    level_word: {info: '提示', warn: '警告', error: '错误', critical: '严重'},
    live: '实时', paused: '已暂停', pause: '暂停', resume: '继续', waiting: (n) => `${num(n)} 个新事件`, older: '更早的事件', no_match: '没有符合条件的事件', no_match_1: '减少一个条件，或稍等：新事件会出现在这里。', no_match_report: '请减少一个条件。',
    more_omitted: (n) => `另有 ${num(n)} 个事件不在本报告中；imwatch scan -o ndjson 会全部列出。`,
    repeats: '同一错误码在窗口内的重复只计数，不列出。', timeline: '时间线', timeline_of: (u) => `${u} 遇到了什么`, later: (t) => `${t}后`, no_user: (u) => `没有关于 ${u} 的事件`, no_user_1: '用户 id 须完全一致。配置了 subjects: hash 时，这里的 id 也是散列值。',
    seen: '出现情况', seen_never: '保留的事件中没有出现。', events_of: '它的事件', also: '别处的同一个数字', tell: '怎么判断：', unknown_code: (c) => `目录里没有 ${c}`,
    unknown_code_1: '它可能比本版本更新。codes/README.md 说明怎样自行添加，不需要 Go。',
    todo: '怎么办', lines: '这一行和它的上下文', line: '这一行', fields: '细节', raw: '事件的 JSON', everything: '这个错误码的全部说明', samples: '其中几行', in_files: '所在文件',
    more_lines: '更多行', no_lines: '没有上下文', confidence: {high: '确定', medium: '较有把握', low: '没有把握'}, because: '依据：', instead: '也可能是', storm_of: (n) => `另有 ${num(n)} 次，只计数，未逐条列出`, loss: '丢失',
    no_event: '没有这个事件', no_event_1: '已送达的事件保留 store.max_age 那么久，默认 7 天。',
    f: {time: '时间', read: '读取时间', user: '用户', source: '来源', service: '服务', file: '文件', offset: '字节位置', rule: '规则', id: '事件 id', vendor_text: '厂商原文', inner: '起因', confidence: '把握', status: 'HTTP 状态', operation: '操作', group: '群组', chatroom: '聊天室', message: '消息', target: '目标', session: '会话', client: '客户端', trace: '追踪', sdk: 'SDK 版本', app: 'App key', flags: '标记', host: '主机', first: '首次', subjects: '涉及对象'},
    proof: {symbol: '它的符号', sentence: 'SDK 自己的文字', sdk: 'SDK 的标记', vendor: '厂商名', range: '只有这个 SDK 使用的数字', number: '这个数字', shape: '它的写法', file: '同一文件此前的内容', families: '来源中注明的 families'},
    basis: {no_date: '该行没有日期', no_zone: '该行没有时区', read: '该行没有时间，以读取时间为准', clamped: '该行的时间在未来，以读取时间为准'},
    mode: {live: '跟踪中', rotated: '已轮转', waiting: '等待', unreadable: '无法读取', stalled: '无响应', stopped: '已停止'}, lag: '未读', path: '路径', mode_head: '状态', no_files: '没有跟踪任何文件',
    no_files_1: 'imwatch check -c 文件 --user imwatch 会说明读不到什么，以及怎样修好。', files_head: '文件', sinks: '输出', sink: '输出', sent: '已送出', backlog: '等待', sink_state: '状态', sink_ok: '正常接收', failing: (t, n) => `自 ${t} 起失败，已尝试 ${n} 次`, refused: (n) => `${num(n)} 个被永久拒绝`,
    no_sinks: '没有输出。事件留在存储里，由本页和 imwatch events 显示。', losses: '丢失', no_losses: '没有已知的丢失。', store: '存储', kept: (n, b) => `${num(n)} 个事件，文件 ${b}`, undecided_head: '未定', no_undecided: '没有未定的。', problems: '无法读取', read_files: (f, l, b) => `${num(f)} 个文件，${num(l)} 行，${b}`,
    since: (t) => `自 ${t}`, range_lost: (a, b) => `${num(a)} 至 ${num(b)}`, version: '版本', running: '运行', state_dir: '状态目录',
    token: '本页需要令牌', token_1: '这里会显示日志内容，所以要确认是谁在看。请打开 imwatch run 打印的地址，或粘贴令牌：', token_2: '令牌在状态目录里，同组用户可读：', open: '打开', token_bad: '令牌不对。',
    gone: 'imwatch 没有应答，正在重试…', gone_1: '用 systemctl status imwatch 看它是否在运行。', error: '没有成功', retry: '再试一次', generated: (t) => `报告生成于 ${t}`, not_found: '没有这个页面', back: '回到首页',
    ago: (s) => s < 5 ? '刚刚' : s < 60 ? `${Math.floor(s)} 秒前` : s < 3600 ? `${Math.floor(s / 60)} 分钟前` : s < 86400 ? `${Math.floor(s / 3600)} 小时前` : null,
    span: (s) => s < 60 ? `${Math.round(s)} 秒` : s < 3600 ? `${Math.round(s / 60)} 分钟` : s < 172800 ? `${Math.round(s / 3600)} 小时` : `${Math.round(s / 86400)} 天`,
    new_event: (t) => `新事件：${t}`, search_results: '目录中',
  },
};

const LEVELS = ['info', 'warn', 'error', 'critical'];
let lang = 'en';
let T = TEXT.en;

function setLanguage(l) {
  lang = l === 'zh' ? 'zh' : 'en';
  T = TEXT[lang];
  document.documentElement.lang = lang === 'zh' ? 'zh-CN' : 'en';
}

function num(n) { return Number(n).toLocaleString(lang === 'zh' ? 'zh-CN' : 'en-GB'); }

function bytes(n) {
  for (const [size, unit] of [[2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB']]) {
    if (n >= size) return `${(n / size).toFixed(1)} ${unit}`;
  }
  return `${n} B`;
}

const two = (n) => String(n).padStart(2, '0');
function clock(t) { return `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`; }
function day(t) { return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`; }
// moment writes a time as briefly as it stays clear.
function moment(t) {
  t = new Date(t);
  return day(t) === day(new Date()) ? clock(t) : `${day(t)} ${clock(t)}`;
}
function ago(t) {
  const s = (Date.now() - new Date(t)) / 1000;
  return (s >= 0 && T.ago(s)) || moment(t);
}
