/** Types of the HTTP API. To be generated from the OpenAPI document; until then kept by hand. */

/** `null` comes with status `suppressed` or `insufficient`. */
export type Suppressible = number | null;
export type Status = "ok" | "insufficient" | "suppressed" | "not_built";
export type Role = "leader" | "psychologist" | "counselor" | "analyst" | "student" | "administrator";

export interface Me {
  account: string;
  display_name: string;
  role: Role;
  roles: string[];
  scope: string;
  pages: string[];
  as_of_on: string;
  demo: boolean;
  student_key?: string;
}

export interface DemoLogin {
  account: string;
  password: string;
  role: string;
}

export interface Health {
  status: "ok" | "degraded";
  version: string;
  lake: "ready" | "building" | "empty";
  as_of_on: string | null;
  last_run: {stage: string; result: string; finished_at: string} | null;
  demo_logins?: DemoLogin[];
}

export interface Problem {
  type?: string;
  title: string;
  status: number;
  detail?: string;
  code?: string;
  hint?: string;
}

export interface Figure {
  figure: string;
  value: Suppressible;
  unit: "share" | "count" | "person";
  numerator: Suppressible;
  denominator: Suppressible;
  previous: Suppressible;
  completeness: number | null;
  as_of_at: string;
  status: Status;
  parts: FigurePart[];
}

export interface FigurePart {
  part: string;
  value: Suppressible;
}

export interface Floor {
  building_id: string;
  building: string;
  floor: number;
  due_n: Suppressible;
  back_n: Suppressible;
  night_return_rate: Suppressible;
  repair_open_n: number;
  device_online_rate: number | null;
  status: Status;
}

export interface NightPoint {
  on: string;
  night_return_rate: Suppressible;
  unverified_n: Suppressible;
}

export interface TicketDay {
  on: string;
  opened_n: number;
  resolved_n: number;
  overdue_n: number;
}

export interface CollegeRow {
  college: string;
  college_name: string;
  student_n: Suppressible;
  night_return_rate: Suppressible;
  ticket_on_time_rate: Suppressible;
  status: Status;
}

export interface OverdueOffice {
  office: string;
  overdue_n: number;
}

export interface Emerging {
  category: string;
  building: string;
  open_n: number;
  oldest_days: number;
}

export interface Cockpit {
  as_of_on: string;
  as_of_at: string;
  college: string | null;
  figures: Figure[];
  floors: Floor[];
  nightly: NightPoint[];
  tickets_daily: TicketDay[];
  colleges: CollegeRow[];
  overdue_offices: OverdueOffice[];
  emerging: Emerging[];
  not_built: string[];
}

export interface StudentRow {
  student_key: string;
  name: string | null;
  student_id: string | null;
  college: string;
  college_name: string;
  major: string;
  class: string;
  grade: number;
  building: string | null;
  room: string | null;
  boarder: string;
  care_n: number;
}

export interface StudentPage {
  rows: StudentRow[];
  next: string | null;
  total_n: number;
}

export type MeasureUnit = "share" | "count" | "yuan" | "hour" | "minute_of_day" | "ratio";

export interface MeasurePoint {
  as_of_on: string;
  value: number | null;
}

export interface Measure {
  measure: string;
  title_zh: string;
  title_en: string;
  about: string;
  unit: MeasureUnit;
  value: number | null;
  n: number | null;
  cov: number | null;
  z_self: number | null;
  z_peer: number | null;
  status: "ok" | "insufficient";
  window: string;
  history: MeasurePoint[];
  source: string;
}

export interface Dimension {
  dimension: "study" | "life" | "economy" | "rhythm" | "request" | "safety";
  measures: Measure[];
}

export interface PortraitHead extends StudentRow {
  status: string;
  study_stage: string;
  campus: string;
}

export interface Coverage {
  measures_n: number;
  known_n: number;
  sources: {source: string; fresh_to: string | null; cov: number | null}[];
}

export interface Portrait {
  student_key: string;
  as_of_on: string;
  head: PortraitHead;
  coverage: Coverage;
  dimensions: Dimension[];
  notices: Notice[];
  missing_dimensions: string[];
  self_note: string | null;
}

export interface RecordRow {
  event_id: string;
  occurred_at: string | null;
  occurred_on: string;
  kind: string;
  title_zh: string;
  title_en: string;
  detail_zh: string;
  detail_en: string;
  source: string;
  trust: "device" | "system" | "staff" | "self";
}

export interface RecordPage {
  rows: RecordRow[];
  next: string | null;
  kinds: {kind: string; n: number}[];
}

export interface NoticeStudent {
  name: string | null;
  college_name: string;
  class: string;
  building: string | null;
  room: string | null;
}

export interface Evidence {
  measure: string;
  value: number | null;
  n: number | null;
  cov: number | null;
}

interface Observed {
  warning_id: string;
  student_key: string;
  student: NoticeStudent;
  rule: string;
  title_zh: string;
  title_en: string;
  as_of_on: string;
  since_on: string | null;
  reasons_zh: string[];
  reasons_en: string[];
  caveats_zh: string[];
  caveats_en: string[];
  baseline: number | null;
  now: number | null;
  unit: string | null;
  evidence: Evidence[];
}

export interface Notice extends Observed {
  /** `null`: the reader may not see it. */
  severity: number | null;
}

export interface Explanation {
  explanation: string;
  is_present: boolean;
  title_zh: string;
  title_en: string;
}

export interface Finding extends Observed {
  silence_h: number;
  last_seen_at: string;
  last_seen_source: string;
  explanations: Explanation[];
}

export interface CarePage {
  as_of_on: string;
  findings: Finding[];
  rows: Notice[];
  next: string | null;
  emergency_zh: string;
  emergency_en: string;
}

export interface ListHead {
  list: string;
  title_zh: string;
  title_en: string;
  about: string;
  rows_n: number;
  as_of_on: string;
  owner: string;
}

export interface ListColumn {
  column: string;
  title_zh: string;
  title_en: string;
}

export type Cell = string | number | boolean | null;

export interface WorkList {
  list: string;
  title_zh: string;
  title_en: string;
  as_of_on: string;
  columns: ListColumn[];
  rows: Record<string, Cell>[];
}

export interface TicketGroup {
  ticket_n: Suppressible;
  on_time_rate: Suppressible;
  median_hours: Suppressible;
  overdue_n: Suppressible;
}

export type LoopStage = "reported" | "dispatched" | "responded" | "resolved" | "followed_up";

export interface LoopStep {
  stage: LoopStage;
  ticket_n: number;
}

export interface Tickets {
  as_of_on: string;
  figures: Figure[];
  by_category: (TicketGroup & {category: string})[];
  by_office: (TicketGroup & {office: string})[];
  loop: LoopStep[];
  daily: TicketDay[];
}

export interface CatalogColumn {
  column: string;
  type: string;
  about: string;
  unit: string | null;
  class: string;
}

export interface CatalogTable {
  table: string;
  kind: string;
  about: string;
  grain: string;
  owner: string;
  class: string;
  materialized: string;
  purpose: string[];
  inputs: string[];
  rows_n: number | null;
  version: number | null;
  updated_at: string | null;
  fresh_to: string | null;
  columns: CatalogColumn[];
}

export interface Catalog {
  tables: CatalogTable[];
  data_item_n: number;
}

export interface Run {
  run_id: string;
  started_at: string;
  finished_at: string | null;
  stage: string;
  rows_in: number;
  rows_out: number;
  seconds: number;
  result: string;
  detail: string;
}
