import {describe, expect, it} from "vitest";
import type {PipelineState} from "../src/api/schema";
import {bytesText, byUrgency, ofState} from "../src/facts/pipelines";

function source(pipeline: string, state: PipelineState["state"]): PipelineState {
  return {
    pipeline, about_zh: "", about_en: "", owner: "", shape: "event", doors: ["files"], usual_delay_s: 300, occurred_at: null, known_at: null, committed_at: null,
    lag_s: null, hour_rows: 0, hour_bytes: 0, rows_n: 0, rows_in: 0, rows_quarantined: 0, waiting: [], late: [], state, sentences: [],
  };
}

describe("sources", () => {
  const rows = [source("a", "ok"), source("z", "act"), source("c", "watch"), source("b", "act")];
  it("what wants somebody stands first, and in the order of names", () => {
    expect(byUrgency(rows).map((it) => it.pipeline)).toEqual(["b", "z", "c", "a"]);
    expect(ofState(rows, "act").map((it) => it.pipeline)).toEqual(["z", "b"]);
    expect(ofState(rows, "")).toHaveLength(4);
  });
  it("bytes are said in the units of the settings", () => {
    expect([0, 512, 1024, 1536, 268_435_456, 3 * 2 ** 40].map(bytesText)).toEqual(["0 B", "512 B", "1 KiB", "1.5 KiB", "256 MiB", "3 TiB"]);
  });
});
