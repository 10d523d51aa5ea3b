/** The components of Element Plus in use, each with its own style; the rest is not bundled. */
import {ElConfigProvider as RawConfigProvider} from "element-plus";
import type {Language} from "element-plus/es/locale/index.mjs";
import type {DefineComponent} from "vue";
import "element-plus/theme-chalk/base.css";
import "element-plus/theme-chalk/dark/css-vars.css";
import "element-plus/theme-chalk/el-button.css";
import "element-plus/theme-chalk/el-drawer.css";
import "element-plus/theme-chalk/el-input.css";
import "element-plus/theme-chalk/el-overlay.css";
import "element-plus/theme-chalk/el-segmented.css";
import "element-plus/theme-chalk/el-step.css";
import "element-plus/theme-chalk/el-steps.css";

export {ElButton, ElDrawer, ElInput, ElSegmented, ElStep, ElSteps} from "element-plus";

// Under exactOptionalPropertyTypes Vue misreads its declared props; here is the one in use.
export const ElConfigProvider = RawConfigProvider as unknown as DefineComponent<{locale: Language | undefined}>;
