// Runs the JMessage Web SDK, which is on no package registry, as run.js runs the
// others: node jmessage.js jmessage-sdk-web.2.5.0.min.js VERSION writes
// ../jmessage-sdk-web-VERSION.log and .tsv. The server speaks socket.io 2.
'use strict'
const fs = require('fs'), http = require('http'), path = require('path'), util = require('util')
const { JSDOM, VirtualConsole } = require('jsdom'), io = require('socket.io')

const [bundle, version] = process.argv.slice(2)
const sleep = ms => new Promise(r => setTimeout(r, ms))
let scenario = '', lines = [], truth = [], shown = 0, answers = {}
const clock = () => new Date(Date.UTC(2026, 10, 20, 8, 0, lines.length % 60, lines.length % 1000)).toISOString()
const write = text => { const at = lines.length + 1; lines.push(...text.replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:18080').split('\n')); return at }

// What pages do in onFail, one after the other.
const habits = [
  e => util.format(e),
  e => 'error:' + JSON.stringify(e),
  e => clock() + ' ERROR [chat] onFail ' + util.inspect(e, { breakLength: Infinity }),
  e => util.format('登录或发送失败', e),
  e => clock() + ' [error] ' + JSON.stringify(e),
]
function log(e) { truth.push([write(habits[shown++ % habits.length](e)), e.code, '', scenario]) }

const server = http.createServer((q, r) => { r.setHeader('Access-Control-Allow-Origin', '*'); r.end('<html></html>') })
io(server).on('connection', socket => {
  const before = socket.onevent
  socket.onevent = function (packet) {
    const [event, data] = packet.data || []
    before.call(this, packet)
    if (!data || data.rid === undefined) return
    socket.emit('ack', { rid: data.rid })
    if (answers[event]) setTimeout(() => socket.emit(event === 's_across_single_text' ? 's_single_text' : event, { rid: data.rid, ...answers[event] }), 10)
  }
})

server.listen(0, '127.0.0.1', async () => {
  const port = server.address().port, vc = new VirtualConsole()
  for (const level of ['log', 'info', 'warn', 'error', 'debug']) vc.on(level, (...args) => write(util.format(...args).slice(0, 4000)))
  const { window } = new JSDOM('<html></html>', { url: `http://127.0.0.1:${port}/`, runScripts: 'dangerously', virtualConsole: vc })
  window.eval(fs.readFileSync(bundle, 'utf8'))
  const im = new window.JMessage({ debug: true, address: `ws://127.0.0.1:${port}`, upload_file: `http://127.0.0.1:${port}/up` })
  await sleep(500)
  const run = (what, event, answer, call) => new Promise(done => {
    scenario = what
    answers = { sync_check: { code: 0 }, [event]: answer }
    const end = () => setTimeout(done, 30)
    setTimeout(done, 3000)
    call().onSuccess(end).onFail(e => { log(e); end() }).onTimeout(end)
  })
  const init = () => im.init({ appkey: '4f7aef34fb361292c566a1cd', random_str: '022cd9fd995849b58b3ef0e943421ed9', signature: 'E422A978DE37196588531CD0C42010B5', timestamp: 1700000000000, flag: 0 })
  const login = () => im.login({ username: 'u1', password: 'p' })

  for (const [code, message] of [[880101, 'appkey not exist'], [880102, 'signatu fail'], [880106, 'signatu is expire'], [880002, 'invalid parameter'], [882005, 'response time out,try again later']])
    await run('init: ' + message, 'c_init', { code, message }, init)
  await run('init', 'c_init', { code: 0, message: 'success' }, init)
  for (const [code, message] of [[880103, 'user not exist'], [880104, 'invalid password'], [880107, 'already login,please login out before login'], [880109, 'repetitive operation'], [880110, 'multi channel online error,please update your sdk version'], [880111, 'user disabled'], [882001, 'server internal error']])
    await run('login: ' + message, 'login', { code, message, username: 'u1' }, login)
  for (const [code, message] of [[880007, 'register limit'], [880006, 'login out before register'], [882002, 'user exist']])
    await run('register: ' + message, 'register', { code, message }, () => im.register({ username: 'u1', password: 'p' }))
  await run('login', 'login', { code: 0, message: 'success', username: 'u1' }, login)
  const requests = [
    ['s_across_single_text', () => im.sendSingleMsg({ target_username: 'u2', content: 'hi' }), [[880203, 'target user not exist'], [880206, 'length of message exceed limit'], [880207, 'user in blacklist'], [880208, 'message is sensitive'], [880209, 'beyond the frequency limit']]],
    ['send_group_msg', () => im.sendGroupMsg({ target_gid: '1001', content: 'hi' }), [[880204, 'target group not exist'], [880205, 'user not in group'], [880212, 'can not chat while silent']]],
    ['create_group', () => im.createGroup({ group_name: 'g', group_description: 'd' }), [[880402, 'not permitted to create group'], [880403, 'amount of group exceed limit']]],
    ['add_across_group_member', () => im.addGroupMembers({ gid: '1001', member_usernames: [{ username: 'u9' }] }), [[880604, 'user not permitted add member to group'], [880607, 'repeated added']]],
    ['get_groups_list', () => im.getGroups(), [[882004, 'auth fail']]],
    ['join_room', () => im.enterChatroom({ id: '5' }), [[881503, 'chatroom not exist'], [881507, 'member has in the chatroom']]],
  ]
  for (const [event, call, refusals] of requests)
    for (const [code, message] of refusals) await run(event + ': ' + message, event, { code, message }, call)

  const to = path.join(__dirname, '..', 'jmessage-sdk-web-' + version)
  fs.writeFileSync(to + '.log', lines.join('\n') + '\n')
  fs.writeFileSync(to + '.tsv', '# line, code, cause, scenario\n' + truth.map(t => t.join('\t')).join('\n') + '\n')
  console.log(lines.length, 'lines', truth.length, 'errors')
  process.exit(0)
})
