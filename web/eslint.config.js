import js from '@eslint/js'
import vue from 'eslint-plugin-vue'
import ts from 'typescript-eslint'

export default ts.config(
  { ignores: ['**/dist/**', '**/wasm/**', '**/node_modules/**'] },
  js.configs.recommended,
  ts.configs.strict,
  ts.configs.stylistic,
  vue.configs['flat/essential'],
  {
    languageOptions: { parserOptions: { parser: ts.parser } },
    rules: {
      // TypeScript knows the names of the platform.
      'no-undef': 'off',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': ['error', { allow: ['warn'] }],
      'vue/multi-word-component-names': 'off',
      // What people read comes from the table of texts, in every language: src/i18n.
      'vue/no-bare-strings-in-template': ['error', { allowlist: ['(', ')', ',', '·', '×', ':'] }],
    },
  },
)
