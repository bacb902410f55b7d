import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig(({ mode }) => ({
  // Relative, so that the page also works from a file or behind a path; Tauri serves it from its own origin.
  base: './',
  plugins: [svelte()],
  // Svelte's server build would be chosen under Node otherwise, and components could not be mounted.
  resolve: mode === 'test' ? { conditions: ['browser'] } : {},
  server: {
    host: '127.0.0.1', port: 5173, strictPort: true,
    // Tests read a table that the vault process is held against, too.
    fs: mode === 'test' ? { allow: ['.', '../crates/model/src'] } : {},
  },
  build: {
    // WebKitGTK 2.40, WKWebView of macOS 13, WebView2.
    target: ['safari16.4', 'chrome111'],
    modulePreload: { polyfill: false },
    // Fonts stay files: the content security policy allows fonts from the page's own origin only.
    assetsInlineLimit: 0,
    reportCompressedSize: true,
  },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.ts'],
    setupFiles: ['src/test/setup.ts'],
    restoreMocks: true,
    // Whole windows are drawn: seconds, when the machine is busy with other builds.
    testTimeout: 30_000,
    env: { TZ: 'UTC' },
  },
}));
