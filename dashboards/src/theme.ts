import {computed, ref, watchEffect} from "vue";
import {darkInk, lightInk, type Ink} from "./charts/ink";
import {recall, remember} from "./remember";

export type ThemeChoice = "system" | "light" | "dark";

const system = matchMedia("(prefers-color-scheme: dark)");
const systemDark = ref(system.matches);
const printing = ref(false);
system.addEventListener("change", (event) => (systemDark.value = event.matches));
// Paper is white whatever the screen is.
addEventListener("beforeprint", () => (printing.value = true));
addEventListener("afterprint", () => (printing.value = false));

function first(): ThemeChoice {
  const kept = recall("theme");
  return kept === "light" || kept === "dark" ? kept : "system";
}

export const themeChoice = ref<ThemeChoice>(first());
export const isDark = computed(
  () => !printing.value && (themeChoice.value === "dark" || (themeChoice.value === "system" && systemDark.value)),
);
export const ink = computed<Ink>(() => (isDark.value ? darkInk : lightInk));

export function setTheme(choice: ThemeChoice): void {
  themeChoice.value = choice;
  remember("theme", choice === "system" ? null : choice);
}

watchEffect(() => document.documentElement.classList.toggle("dark", isDark.value), {flush: "sync"});
