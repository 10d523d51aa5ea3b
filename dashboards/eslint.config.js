import vue from "eslint-plugin-vue";
import typescript from "typescript-eslint";

export default [
  {ignores: ["dist/", "node_modules/", "public/"]},
  ...typescript.configs.recommended,
  ...vue.configs["flat/essential"],
  {
    files: ["**/*.vue"],
    languageOptions: {parserOptions: {parser: typescript.parser}},
  },
  {
    rules: {
      eqeqeq: "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-console": "error",
      "max-lines": ["error", {max: 300, skipBlankLines: true}],
      "vue/no-v-html": "error",
      "vue/block-lang": ["error", {script: {lang: "ts"}}],
      "vue/component-api-style": ["error", ["script-setup"]],
      "vue/no-static-inline-styles": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-explicit-any": "error",
    },
  },
  // Stands in for a generated file.
  {files: ["src/api/schema.ts"], rules: {"max-lines": "off"}},
  {files: ["test/*.mjs"], rules: {"no-console": "off"}},
];
