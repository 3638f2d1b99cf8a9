// Addresses. Who has signed in on this device gets everywhere, with or without a network.

import { createRouter, createWebHistory } from '@ionic/vue-router'
import { isManager, opened, profile } from './model/account'

export const router = createRouter({
  history: createWebHistory('/'),
  routes: [
    { path: '/', redirect: '/sessions' },
    { path: '/sign-in', component: () => import('./pages/SignInPage.vue') },
    { path: '/invitation', component: () => import('./pages/InvitationPage.vue') },
    { path: '/sessions', component: () => import('./pages/SessionsPage.vue') },
    { path: '/sessions/:id', component: () => import('./pages/CountingPage.vue'), props: true },
    { path: '/sessions/:id/journal', component: () => import('./pages/JournalPage.vue'), props: true },
    { path: '/desk', redirect: '/desk/runs' },
    { path: '/desk/runs', component: () => import('./desk/RunsPage.vue') },
    { path: '/desk/runs/:id', component: () => import('./desk/RunPage.vue'), props: true },
    { path: '/desk/devices', component: () => import('./desk/FleetPage.vue') },
    { path: '/desk/people', component: () => import('./desk/PeoplePage.vue') },
    { path: '/desk/outbox', component: () => import('./desk/OutboxPage.vue') },
    { path: '/desk/log', component: () => import('./desk/LogPage.vue') },
    { path: '/device', component: () => import('./pages/DevicePage.vue') },
    { path: '/:rest(.*)*', redirect: '/sessions' },
  ],
})

router.beforeEach(async (to) => {
  await opened
  if (to.path === '/invitation') return true
  if (!profile.value && to.path !== '/sign-in') return '/sign-in'
  if (profile.value && to.path === '/sign-in') return '/sessions'
  // The server decides what one may do; who may not is not shown the way.
  if (to.path.startsWith('/desk') && !isManager()) return '/sessions'
  return true
})
