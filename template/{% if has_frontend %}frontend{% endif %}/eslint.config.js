import js from "@eslint/js";
import { createNodeResolver, importX } from "eslint-plugin-import-x";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(js.configs.recommended, {
  files: ["**/*.ts"],
  extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
  languageOptions: { parserOptions: { projectService: true } },
  plugins: { "import-x": importX },
  settings: {
    // Both are needed to follow an import into a TypeScript file: how to find it, and how to read it.
    "import-x/resolver-next": [createNodeResolver({ extensions: [".ts", ".js"] })],
    "import-x/parsers": { "@typescript-eslint/parser": [".ts"] },
  },
  rules: {
    "import-x/no-cycle": "error",
    "import-x/no-self-import": "error",
    "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
  },
});
