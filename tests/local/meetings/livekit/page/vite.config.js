import { defineConfig } from 'vite';

// vite compiles JSX by itself; no React plugin is needed without hot reload.
export default defineConfig({
  build: { chunkSizeWarningLimit: 2000 },
});
