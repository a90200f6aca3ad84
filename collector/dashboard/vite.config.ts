import { defineConfig } from 'vite'

/**
 * Builds the page to `dist/dashboard`. Everything is a file of its own (`assetsInlineLimit: 0`) and the module preload
 * shim is left out, so that the page runs under `default-src 'self'` with no exception.
 */
export default defineConfig({
  // Whatever folder it is called from.
  root: import.meta.dirname,
  base: './',
  publicDir: false,
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../../dist/dashboard',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
  },
})
