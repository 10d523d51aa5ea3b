import type {Locale} from "../format";

/** The colours of a chart. One set for light screens and paper, one for dark screens. */
export interface Ink {
  text: string;
  muted: string;
  line: string;
  surface: string;
  accent: string;
  calm: string;
  warm: string;
  faint: string;
  /** Five steps from "needs no one tonight" to "needs someone first", with the ink to write on each. */
  ramp: readonly {fill: string; text: string}[];
  hatch: string;
}

/** How a chart is to look: language, colours and whether it has little room. */
export interface Look {
  locale: Locale;
  ink: Ink;
  narrow: boolean;
}

export const fontFamily = '"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif';

export const lightInk: Ink = {
  text: "#14213D",
  muted: "#556277",
  line: "#E3E8F0",
  surface: "#FFFFFF",
  accent: "#0958D9",
  calm: "#0E8A83",
  warm: "#C26A0A",
  faint: "#EDF1F7",
  ramp: [
    {fill: "#E4F1F0", text: "#14514D"},
    {fill: "#C5E2DF", text: "#0E4743"},
    {fill: "#FBE6BF", text: "#5F3B02"},
    {fill: "#F3B565", text: "#472A02"},
    {fill: "#C4570C", text: "#FFFFFF"},
  ],
  hatch: "#9AA7BA",
};

export const darkInk: Ink = {
  text: "#E6EDF7",
  muted: "#A3B3CA",
  line: "#263A57",
  surface: "#122036",
  accent: "#6CABFF",
  calm: "#4FD1C5",
  warm: "#F2B35E",
  faint: "#1A2B45",
  ramp: [
    {fill: "#14373F", text: "#BFE8E3"},
    {fill: "#1C5457", text: "#D5F4F0"},
    {fill: "#5C4715", text: "#FBE6BF"},
    {fill: "#9A6413", text: "#FFF3DC"},
    {fill: "#F08A3C", text: "#2A1400"},
  ],
  hatch: "#6D7F99",
};

/** Patterns behind colours, so that series differ without them; the first stays plain. */
export function decals(ink: Ink) {
  const color = ink.surface === "#FFFFFF" ? "rgba(255,255,255,0.55)" : "rgba(11,22,38,0.5)";
  return [
    {symbol: "none"},
    {symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: -Math.PI / 4, color},
    {symbol: "circle", dashArrayX: [[6, 6], [0, 6, 6, 0]], dashArrayY: [6, 0], symbolSize: 0.5, color},
  ];
}

/** What every chart has in common: description for readers without sight, patterns, type, no HTML in tooltips. */
export function ground(look: Look, description: string) {
  const {ink} = look;
  return {
    animationDuration: 300,
    textStyle: {fontFamily, color: ink.text, fontSize: 12},
    aria: {enabled: true, label: {description}, decal: {show: true, decals: decals(ink)}},
  };
}

export function tooltip(ink: Ink) {
  return {
    renderMode: "richText" as const,
    confine: true,
    backgroundColor: ink.surface,
    borderColor: ink.line,
    textStyle: {color: ink.text, fontFamily, fontSize: 12, lineHeight: 18},
  };
}
