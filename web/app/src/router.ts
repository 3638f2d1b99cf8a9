// Addresses. Who has signed in on this device gets everywhere, with or without a network.

import { createRouter, createWebHistory } from '@ionic/vue-router'
import { opened, profile } from './model/account'

export const router = createRouter({
  history: createWebHistory('/'),
  routes: [
    { path: '/', redirect: '/sessions' },
    { path: '/sign-in', component: () => import('./pages/SignInPage.vue') },
    { path: '/sessions', component: () => import('./pages/SessionsPage.vue') },
    { path: '/sessions/:id', component: () => import('./pages/CountingPage.vue'), props: true },
    { path: '/sessions/:id/journal', component: () => import('./pages/JournalPage.vue'), props: true },
    { path: '/device', component: () => import('./pages/DevicePage.vue') },
    { path: '/:rest(.*)*', redirect: '/sessions' },
  ],
})

router.beforeEach(async (to) => {
  await opened
  if (!profile.value && to.path !== '/sign-in') return '/sign-in'
  if (profile.value && to.path === '/sign-in') return '/sessions'
  return true
})
