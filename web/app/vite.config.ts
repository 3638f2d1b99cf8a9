import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'
import { VitePWA } from 'vite-plugin-pwa'

// Where `npm run dev` finds the server.
const server = process.env['GINTI_SERVER'] ?? 'http://127.0.0.1:8080'
const INK = '#12302a'
const PAPER = '#f5f2ea'

export default defineConfig({
  plugins: [
    vue(),
    VitePWA({
      strategies: 'injectManifest',
      srcDir: 'src',
      filename: 'sw.ts',
      injectRegister: false,
      manifest: {
        id: '/',
        name: 'Ginti: inventory counting',
        short_name: 'Ginti',
        description: 'Scan and count, with or without a network.',
        start_url: '/',
        display: 'standalone',
        background_color: PAPER,
        theme_color: INK,
        icons: [
          { src: 'icon.svg', sizes: 'any', type: 'image/svg+xml' },
          { src: 'icon-192.png', sizes: '192x192', type: 'image/png' },
          { src: 'icon-512.png', sizes: '512x512', type: 'image/png' },
          { src: 'icon-maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
        ],
      },
      injectManifest: {
        globPatterns: ['**/*.{js,css,html,wasm,svg,png}'],
        // The camera's decoder is large: kept from its first use on, or from the first quiet moment.
        globIgnores: ['**/zxing_reader*'],
        rollupFormat: 'iife',
      },
    }),
  ],
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    // The strict content policy allows no data: addresses for code, and small files are cached anyway.
    assetsInlineLimit: 0,
    rolldownOptions: {
      // Ionic registers its components as side effects; without this all of them ship.
      treeshake: { moduleSideEffects: (id) => !/@ionic[\\/](core|vue)[\\/](components|dist)/.test(id) },
    },
  },
  server: { proxy: { '/auth': server, '/maarg': server } },
  preview: { proxy: { '/auth': server, '/maarg': server } },
})
