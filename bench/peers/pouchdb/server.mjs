// express-pouchdb over LevelDB, with its own settings: LevelDB does not wait for the disk, so this is not durable before the answer.
import express from 'express'
import expressPouch from 'express-pouchdb'
import PouchDB from 'pouchdb'

const [folder] = process.argv.slice(2)
const Here = PouchDB.defaults({ prefix: `${folder}/` })
const app = express()
app.use('/', expressPouch(Here, { mode: 'minimumForPouchDB', overrideMode: { include: ['routes/bulk-docs'] }, inMemoryConfig: true, logPath: `${folder}/log` }))
// Only a database made after the plugin that lists databases is known to it.
await new Here('counts').info()
const server = app.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`))
