// Entry: styles, router, the app; then the service worker, which is not waited for.

import { IonicVue } from '@ionic/vue'
import { createApp } from 'vue'
import '@ionic/vue/css/core.css'
import '@ionic/vue/css/normalize.css'
import '@ionic/vue/css/structure.css'
import './theme.css'
import App from './App.vue'
import { useOwnLanguage } from './i18n'
import { listenForInstall } from './model/install'
import { registerWorker } from './model/updates'
import { router } from './router'

const app = createApp(App).use(IonicVue, { mode: 'md' }).use(router)
listenForInstall()
void Promise.all([router.isReady(), useOwnLanguage()]).then(() => {
  app.mount('#app')
  performance.mark('ginti-shown')
})
registerWorker()
