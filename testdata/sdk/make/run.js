// Runs one chat SDK in jsdom against a server on loopback that answers as the
// vendor's would when something is wrong, and writes what a page's log would
// hold: node run.js PACKAGE writes ../PACKAGE.log, and ../PACKAGE.tsv with the
// code of each error object (line, code, cause, scenario).
'use strict'
const fs = require('fs'), http = require('http'), path = require('path'), util = require('util')
const { JSDOM, VirtualConsole } = require('jsdom'), { WebSocketServer } = require('ws')

const name = process.argv[2]
const dir = path.join(__dirname, 'node_modules', name)
const bundle = path.join(dir, fs.readdirSync(dir).find(f => /^(Easemob|Agora)-chat.*\.js$/.test(f)))
const sleep = ms => new Promise(r => setTimeout(r, ms))

let scenario = '', lines = [], truth = [], shown = 0
const clock = () => new Date(Date.UTC(2026, 10, 20, 8, 0, lines.length % 60, lines.length % 1000)).toISOString()
const write = text => { const at = lines.length + 1; lines.push(...text.replaceAll(__dirname, '/app').replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:18080').split('\n')); return at }

// What pages do with an error object, one after the other.
const habits = [
  e => util.format(e),
  e => 'im error ' + JSON.stringify(e),
  e => clock() + ' ERROR [chat] onError ' + util.inspect(e, { breakLength: Infinity }),
  e => util.format('onError', e),
  e => clock() + ' [error] ' + JSON.stringify(e),
]
function log(e) {
  if (!e || typeof e !== 'object' || typeof e.type !== 'number') return
  let inner = e.data && typeof e.data === 'object' && typeof e.data.type === 'number' ? e.data.type : ''
  truth.push([write(habits[shown++ % habits.length](e)), e.type, inner, scenario])
}

let rest = null, onSocket = () => {}
const server = http.createServer((q, r) => {
  q.resume().on('end', () => {
    for (const h of ['Origin', 'Headers', 'Methods']) r.setHeader('Access-Control-Allow-' + h, '*')
    if (q.method === 'OPTIONS') return r.writeHead(200).end()
    if (/\/info/.test(q.url)) return r.end('{"websocket":true,"origins":["*:*"],"cookie_needed":false,"entropy":1}')
    if (!rest || q.url === '/') return r.end('<html></html>')
    if (rest === 'hang') return
    r.writeHead(rest[0], { 'Content-Type': 'application/json' }).end(rest[1] && JSON.stringify(rest[1]))
  })
})
const sockets = new WebSocketServer({ noServer: true })
server.on('upgrade', (q, s, h) => sockets.handleUpgrade(q, s, h, c => onSocket(c)))
process.on('unhandledRejection', log)

const refusal = (error, error_description) => ({ error, exception: 'com.easemob.exception', timestamp: 1700000000000, duration: 0, error_description })

server.listen(0, '127.0.0.1', async () => {
  const port = server.address().port, vc = new VirtualConsole()
  for (const level of ['log', 'info', 'warn', 'error', 'debug'])
    vc.on(level, (...args) => { if (!/^(?:---|%c)/.test(String(args[0]))) write(util.format(...args).slice(0, 4000)) })
  const { window } = new JSDOM('<html></html>', { url: `http://127.0.0.1:${port}/`, runScripts: 'dangerously', pretendToBeVisual: true, virtualConsole: vc })
  Object.assign(window, { TextEncoder, TextDecoder })
  window.eval(fs.readFileSync(bundle, 'utf8'))
  const found = window.WebIM || window.websdk || window.AC || window.AgoraChat
  const sdk = found.connection ? found : found.default
  const old = /websdk-3/.test(name)
  if (sdk.logger) (sdk.logger.enableAll || sdk.logger.setLevel).call(sdk.logger, 0)

  const base = { appKey: 'demo-org#demoapp', isHttpDNS: false, https: false, delivery: false, autoReconnectNumMax: 1, apiUrl: `http://127.0.0.1:${port}`, url: old ? `http://127.0.0.1:${port}/ws` : `ws://127.0.0.1:${port}/websocket` }
  const make = (options = {}) => {
    const c = new sdk.connection({ ...base, ...options }), handler = { onError: log }
    c.addEventHandler ? c.addEventHandler('app', handler) : c.listen({ ...handler, onOpened() {}, onClosed() {} })
    return c
  }
  const run = async (what, f) => {
    scenario = what
    try { await Promise.race([f(), sleep(4000)]) } catch (e) { log(e) }
    await sleep(100)
  }
  const open = (c, o) => c.open({ apiUrl: base.apiUrl, appKey: base.appKey, user: 'tester', ...o })

  await run('open without a user', () => open(make(), { user: '', pwd: 'x' }))
  await run('open without a password', () => open(make(), {}))
  for (const [what, ...answer] of [
    ['wrong password', 400, refusal('invalid_grant', 'invalid password')],
    ['unknown user', 404, refusal('invalid_grant', 'user not found')],
    ['too many logins', 429, refusal('reach_limit', 'You have exceeded the limit of the requests')],
    ['server unavailable', 503, ''],
  ]) { rest = answer; await run(what, () => open(make(), { pwd: 'x' })) }
  rest = null
  await run('REST server refused', () => open(make({ apiUrl: 'http://127.0.0.1:9' }), { pwd: 'x', apiUrl: 'http://127.0.0.1:9' }))
  await run('chat server refused', () => open(make({ url: old ? 'http://127.0.0.1:9/ws' : 'ws://127.0.0.1:9/ws' }), { accessToken: 'YWMtAAAA' }))
  await run('contacts before login', async () => { const c = make(); await (c.getContacts || c.getRoster).call(c, { success() {}, error: log }) })
  await run('message before login', async () => {
    const c = make()
    if (sdk.message.create) return c.send(sdk.message.create({ type: 'txt', chatType: 'singleChat', to: 'bob', msg: 'hi' }))
    const m = new sdk.message('txt', 'id1'); m.set({ msg: 'hi', to: 'bob', chatType: 'singleChat', success() {}, fail: log }); c.send(m.body)
  })

  // The chat protocol: the SDK's own protobuf types decode and encode it.
  const pb = c => ({
    type: n => c.root.lookup('easemob.pb.' + n),
    encode(n, o) { const t = this.type(n); return t.encode(t.create(o)).finish() },
    frame(command, payload) { return this.encode('MSync', { version: 1, encryptType: [0], command, payload }) },
  })
  const serve = (c, { code = 0, reason = '', answer } = {}) => {
    onSocket = s => {
      c.server = s
      s.on('message', data => {
        try {
          const p = pb(c), m = p.type('MSync').decode(new window.Uint8Array(data))
          if (m.command === 3) s.send(p.frame(3, p.encode('Provision', { resource: 'webim_1', status: { errorCode: code, reason } })))
          else if (m.command === 0 && answer) {
            const meta = p.type('CommSyncUL').decode(m.payload).meta
            if (meta) s.send(p.frame(0, p.encode('CommSyncDL', { metaId: meta.id, serverId: 987654321, status: { errorCode: answer[0], reason: answer[1] }, metas: [], timestamp: 1700000000000 })))
          }
        } catch (e) { console.error(name, scenario, e.message) }
      })
    }
  }
  const login = async (c, o) => { serve(c, o); await Promise.race([open(c, { accessToken: 'YWMtAAAABBBB' }), sleep(2500)]); await sleep(80) }
  if (make().root) {
    for (const [code, reason] of [[1, 'Sorry, token expired'], [1, 'Sorry, token or password does not match login info'], [1, 'Sorry, user not found'], [2, 'Sorry, unauthorized'], [6, 'Sorry, the app month live count limit'], [20, 'too many devices']])
      await run('login answered ' + reason, () => login(make(), { code, reason }))
    for (const [operation, what] of [[1, 'removed'], [2, 'other device'], [3, 'password changed'], [4, 'kicked by other device']])
      await run('kicked: ' + what, async () => {
        const c = make(); await login(c)
        const p = pb(c), ns = p.type('Meta').lookup('NameSpace').values.STATISTIC
        const payload = p.encode('StatisticsBody', { operation, reason: '' })
        c.server.send(p.frame(0, p.encode('CommSyncDL', { metas: [{ id: 12345, ns, payload }], isLast: true, nextKey: 0, serverId: 0, metaId: 0, queue: { name: 'tester' } })))
        await sleep(300); c.close()
      })
    const create = () => sdk.message.create && sdk.message.create({ type: 'txt', chatType: 'singleChat', to: 'bob', msg: 'hi' })
    if (create()) for (const answer of [[1, 'blocked'], [1, 'not in group or chatroom'], [1, 'exceed recall time limit'], [1, 'message recall disabled'], [1, 'group is disabled'], [1, 'nonroster'], [7, 'sensitive words'], [7, 'blocked by mod_antispam'], [7, 'user is mute'], [7, 'traffic limit'], [7, 'Sorry, data is too large'], [15, 'you are muted'], [19, 'refused by our own filter'], [5, 'permission denied'], [22, 'x']])
      await run('message refused: ' + answer[1], async () => {
        const c = make(); await login(c, { answer })
        try { await Promise.race([c.send(create()), sleep(2500)]) } catch (e) { log(e) }
        c.close()
      })
    await run('connection cut', async () => { const c = make({ autoReconnectNumMax: 0 }); await login(c); c.server.terminate(); await sleep(1500) })
    for (const [status, body] of [[401, refusal('unauthorized', 'Unable to authenticate (OAuth)')], [403, refusal('forbidden_op', 'users [tester] are not members of this group!')], [404, refusal('resource_not_found', 'grpID 1234 does not exist!')], [429, refusal('reach_limit', 'This request has reached api limit')], [500, refusal('internal_server_error', 'server error')], [503, '']])
      await run('REST answers ' + status, async () => {
        const c = make(); await login(c); rest = [status, body]
        try { await Promise.race([c.getGroupInfo({ groupId: '1234' }), sleep(2500)]) } catch (e) { log(e) }
        rest = null; c.close()
      })
  }
  fs.writeFileSync(path.join(__dirname, '..', name + '.log'), lines.join('\n') + '\n')
  fs.writeFileSync(path.join(__dirname, '..', name + '.tsv'), '# line, code, cause, scenario\n' + truth.map(t => t.join('\t')).join('\n') + '\n')
  console.log(name, lines.length, 'lines', truth.length, 'errors')
  process.exit(0)
})
