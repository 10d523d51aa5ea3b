import vue from "@vitejs/plugin-vue";
import {defineConfig} from "vitest/config";

export default defineConfig({
  base: "/",
  plugins: [vue()],
  define: {
    // Messages are interpreted, never compiled by `new Function`: the page runs under a strict CSP.
    __INTLIFY_JIT_COMPILATION__: true,
    __INTLIFY_PROD_DEVTOOLS__: false,
    __VUE_I18N_FULL_INSTALL__: false,
    __VUE_I18N_LEGACY_API__: false,
  },
  build: {
    outDir: "dist",
    target: "es2022",
    // Small files stay files: a data: font or script would need a wider CSP.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 800,
  },
  server: {proxy: {"/api": process.env["YIZHAN_API"] ?? "http://127.0.0.1:8080"}},
  test: {include: ["test/**/*.test.ts"], environment: "node"},
});
