import {keepPreviousData, useInfiniteQuery, useQuery} from "@tanstack/vue-query";
import {computed, toValue, type MaybeRefOrGetter} from "vue";
import {wholeList} from "../facts/wholeList";
import {setServerClock} from "../now";
import {get} from "./client";
import type {
  AidRoll, Archive, BreakList, CarePage, Case, CaseOutcomes, CasePage, Catalog, Choices, Cockpit, Deaths, Delegations, FollowUps, HandOvers, Health,
  HelpPage, ImportState, Ledger, Lineage, ListGaps, ListHead, Me, ModelList, ModelPage, MonthReport, MyObservations, NoticeChannels, ObservationForm,
  ObservationWeek, OpenForms, OwnMessages, OwnModels, PipelinePage, Portrait, Quality, RecordPage, Referrals, Roster, Run, Screenings, StudentCases, StudentPage, Sweep, Sweeps,
  TalkHoursPage, Tickets, UnansweredContacts, UnplacedObservations, WorkList,
} from "./schema";

export const meKey = ["me"] as const;

export async function fetchMe(signal?: AbortSignal): Promise<Me> {
  const asked = Date.now();
  const me = await get<Me>("/me", {}, signal);
  setServerClock(me.now, asked, Date.now());
  return me;
}

export function useMe() {
  return useQuery({queryKey: meKey, queryFn: ({signal}) => fetchMe(signal), staleTime: Infinity});
}

export function useChoices() {
  return useQuery({queryKey: ["choices"], queryFn: ({signal}) => get<Choices>("/me/choices", {}, signal)});
}

export function useHealth() {
  return useQuery({queryKey: ["health"], queryFn: ({signal}) => get<Health>("/health", {}, signal)});
}

export function useCockpit(college: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: ["cockpit", computed(() => toValue(college))],
    queryFn: ({signal}) => get<Cockpit>("/cockpit", {college: toValue(college)}, signal),
    placeholderData: keepPreviousData,
  });
}

export interface StudentFilter {
  query: string;
  college: string;
  building: string;
}

export function useStudents(filter: MaybeRefOrGetter<StudentFilter>) {
  return useInfiniteQuery({
    queryKey: ["students", computed(() => toValue(filter))],
    queryFn: ({pageParam, signal}) =>
      get<StudentPage>("/students", {...toValue(filter), after: pageParam, limit: 50}, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
  });
}

/** The address of what is known of a student. */
function ofStudent(studentKey: string, what: string): string {
  return `/students/${encodeURIComponent(studentKey)}/${what}`;
}

export function usePortrait(studentKey: MaybeRefOrGetter<string>, asOf: MaybeRefOrGetter<string>) {
  return useQuery<Portrait>({
    queryKey: ["portrait", computed(() => toValue(studentKey)), computed(() => toValue(asOf))],
    queryFn: ({signal}) => get<Portrait>(ofStudent(toValue(studentKey), "portrait"), {as_of: toValue(asOf)}, signal),
    enabled: () => toValue(studentKey) !== "",
    // Another date of the same student may stay on the screen meanwhile; another student never.
    placeholderData: (before) => (before?.student_key === toValue(studentKey) ? before : undefined),
  });
}

export interface RecordFilter {
  kind: string;
  trust: string;
  since: string;
  until: string;
}

export function useRecord(studentKey: MaybeRefOrGetter<string>, filter: MaybeRefOrGetter<RecordFilter>) {
  return useInfiniteQuery({
    queryKey: ["record", computed(() => toValue(studentKey)), computed(() => toValue(filter))],
    queryFn: ({pageParam, signal}) =>
      get<RecordPage>(ofStudent(toValue(studentKey), "record"), {...toValue(filter), before: pageParam, limit: 20}, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
    enabled: () => toValue(studentKey) !== "",
  });
}

export function useArchive(studentKey: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: ["archive", computed(() => toValue(studentKey))],
    queryFn: ({signal}) => get<Archive>(ofStudent(toValue(studentKey), "archive"), {}, signal),
    enabled: () => toValue(studentKey) !== "",
  });
}

export function useLineage(studentKey: MaybeRefOrGetter<string>, measure: MaybeRefOrGetter<string>, asOf: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: ["lineage", computed(() => toValue(studentKey)), computed(() => toValue(measure)), computed(() => toValue(asOf))],
    queryFn: ({signal}) =>
      get<Lineage>(ofStudent(toValue(studentKey), `lineage/${encodeURIComponent(toValue(measure))}`), {as_of: toValue(asOf)}, signal),
    enabled: () => toValue(studentKey) !== "" && toValue(measure) !== "",
  });
}

export function useCare() {
  return useInfiniteQuery({
    queryKey: ["care"],
    queryFn: ({pageParam, signal}) => get<CarePage>("/warnings", {after: pageParam, limit: 100}, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });
}

export interface CaseFilter {
  kind: string;
  state: string;
  mine: string;
}

/** A net under the live updates, which say sooner what changed (live.ts): something that nobody told of is late and not lost. */
const NET_MS = 300_000;

/** The queue, asked for again when it changes: what is urgent must not wait for a reload. */
export function useCases(filter: MaybeRefOrGetter<CaseFilter>) {
  return useInfiniteQuery({
    queryKey: ["cases", computed(() => toValue(filter))],
    queryFn: ({pageParam, signal}) => get<CasePage>("/cases", {...toValue(filter), after: pageParam, limit: 100}, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
    refetchInterval: NET_MS,
  });
}

export function caseKey(threadKey: string) {
  return ["case", threadKey] as const;
}

/** One case; every look is written down, so it is fetched when it is opened and not by itself. */
export function useCase(threadKey: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: computed(() => caseKey(toValue(threadKey))),
    queryFn: ({signal}) => get<Case>(`/cases/${encodeURIComponent(toValue(threadKey))}`, {}, signal),
    enabled: () => toValue(threadKey) !== "",
    refetchOnWindowFocus: false,
  });
}

export function useStudentCases(studentKey: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: ["cases", "of", computed(() => toValue(studentKey))],
    queryFn: ({signal}) => get<StudentCases>(ofStudent(toValue(studentKey), "cases"), {}, signal),
    refetchOnWindowFocus: false,
  });
}

export function useOpenForms() {
  return useQuery({queryKey: ["case-forms"], queryFn: ({signal}) => get<OpenForms>("/cases/forms", {}, signal)});
}

export function useObservationForm() {
  return useQuery({queryKey: ["observation-form"], queryFn: ({signal}) => get<ObservationForm>("/observations/form", {}, signal)});
}

export function useMyObservations() {
  return useInfiniteQuery({
    queryKey: ["observations"],
    queryFn: ({pageParam, signal}) => get<MyObservations>("/observations", {after: pageParam, limit: 20}, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });
}

export function useUnplaced(enabled: MaybeRefOrGetter<boolean>) {
  return useQuery({
    queryKey: ["unplaced"],
    queryFn: ({signal}) => get<UnplacedObservations>("/observations/unplaced", {}, signal),
    enabled: () => toValue(enabled),
    refetchInterval: NET_MS,
  });
}

export function useHelp() {
  return useQuery({queryKey: ["help"], queryFn: ({signal}) => get<HelpPage>("/me/help", {}, signal), refetchInterval: 60_000});
}

export function useFollowUps() {
  return useQuery({queryKey: ["follow-ups"], queryFn: ({signal}) => get<FollowUps>("/follow-ups", {}, signal)});
}

export function useBreaks() {
  return useQuery({queryKey: ["breaks"], queryFn: ({signal}) => get<BreakList>("/follow-ups/breaks", {}, signal)});
}

export function useUnanswered() {
  return useQuery({queryKey: ["unanswered"], queryFn: ({signal}) => get<UnansweredContacts>("/follow-ups/unanswered", {}, signal)});
}

/** What was sent to the reader; asked for again, for a message comes while the page is open. */
export function useMessages() {
  return useQuery({queryKey: ["messages"], queryFn: ({signal}) => get<OwnMessages>("/notices", {}, signal), refetchInterval: 60_000});
}

export function useAid() {
  return useQuery({queryKey: ["aid"], queryFn: ({signal}) => get<AidRoll>("/aid", {}, signal), refetchOnWindowFocus: false});
}

/** Every look is written down, so it is fetched when the page is opened and not by itself. */
export function useReferrals() {
  return useQuery({queryKey: ["referrals"], queryFn: ({signal}) => get<Referrals>("/referrals", {}, signal), refetchOnWindowFocus: false});
}

export function useTalkHours() {
  return useQuery({queryKey: ["talk-hours"], queryFn: ({signal}) => get<TalkHoursPage>("/talk-hours", {}, signal)});
}

export function useOutcomes() {
  return useQuery({queryKey: ["outcomes"], queryFn: ({signal}) => get<CaseOutcomes>("/cases/outcomes", {}, signal)});
}

export function useWeek() {
  return useQuery({queryKey: ["week"], queryFn: ({signal}) => get<ObservationWeek>("/observations/week", {}, signal)});
}

export function useSweeps() {
  return useQuery({queryKey: ["sweeps"], queryFn: ({signal}) => get<Sweeps>("/sweeps", {}, signal)});
}

export function useSweep(sweepKey: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: ["sweep", computed(() => toValue(sweepKey))],
    queryFn: ({signal}) => get<Sweep>(`/sweeps/${encodeURIComponent(toValue(sweepKey))}`, {}, signal),
    enabled: () => toValue(sweepKey) !== "",
    refetchOnWindowFocus: false,
  });
}

export function useScreenings() {
  return useQuery({queryKey: ["screenings"], queryFn: ({signal}) => get<Screenings>("/screenings", {}, signal)});
}

export function useMonth(month: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: ["month", computed(() => toValue(month))],
    queryFn: ({signal}) => get<MonthReport>("/screenings/month", {month: toValue(month)}, signal),
    placeholderData: keepPreviousData,
  });
}

export function useDeaths() {
  return useQuery({queryKey: ["deaths"], queryFn: ({signal}) => get<Deaths>("/deaths", {}, signal)});
}

export function useHandOvers() {
  return useQuery({queryKey: ["hand-overs"], queryFn: ({signal}) => get<HandOvers>("/hand-overs", {}, signal)});
}

export function useDelegations() {
  return useQuery({queryKey: ["delegations"], queryFn: ({signal}) => get<Delegations>("/delegations", {}, signal)});
}

export function useRoster(from: MaybeRefOrGetter<string>, until: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: ["roster", computed(() => toValue(from)), computed(() => toValue(until))],
    queryFn: ({signal}) => get<Roster>("/roster", {from: toValue(from), until: toValue(until)}, signal),
    placeholderData: keepPreviousData,
  });
}

export function useLedger(from: MaybeRefOrGetter<string>, to: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: ["ledger", computed(() => toValue(from)), computed(() => toValue(to))],
    queryFn: ({signal}) => get<Ledger>("/ledger", {from: toValue(from), to: toValue(to)}, signal),
    placeholderData: keepPreviousData,
  });
}

export function useLists() {
  return useQuery({queryKey: ["lists"], queryFn: ({signal}) => get<{lists: ListHead[]}>("/lists", {}, signal)});
}

export function useList(list: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: ["list", computed(() => toValue(list))],
    queryFn: ({signal}) => wholeList((after) => get<WorkList>(`/lists/${encodeURIComponent(toValue(list))}`, {after}, signal)),
    // A row begins and ends by the clock too, and of that nobody is told whose students stay as they are.
    refetchInterval: 60_000,
  });
}

/** Buildings of which a list of the night says nothing; it goes with the list wherever that is told to have changed. */
export function useListGaps(list: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: ["list", computed(() => toValue(list)), "gaps"],
    queryFn: ({signal}) => get<ListGaps>(`/lists/${encodeURIComponent(toValue(list))}/gaps`, {}, signal),
    // A gate falls silent without a word: an empty list must not go on reading as if everybody were in.
    refetchInterval: 60_000,
  });
}

export function useTickets(office: MaybeRefOrGetter<string>, category: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: ["tickets", computed(() => toValue(office)), computed(() => toValue(category))],
    queryFn: ({signal}) => get<Tickets>("/tickets", {office: toValue(office), category: toValue(category)}, signal),
    placeholderData: keepPreviousData,
  });
}

export function useModels() {
  return useQuery({queryKey: ["models"], queryFn: ({signal}) => get<ModelList>("/models", {}, signal)});
}

export function useOwnModels() {
  return useQuery({queryKey: ["me", "models"], queryFn: ({signal}) => get<OwnModels>("/me/models", {}, signal)});
}

export function useModel(model: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: ["model", computed(() => toValue(model))],
    queryFn: ({signal}) => get<ModelPage>(`/models/${encodeURIComponent(toValue(model))}`, {}, signal),
  });
}

export function useCatalog() {
  return useQuery({queryKey: ["catalog"], queryFn: ({signal}) => get<Catalog>("/catalog", {}, signal)});
}

export function useQuality() {
  return useQuery({queryKey: ["quality"], queryFn: ({signal}) => get<Quality>("/catalog/quality", {}, signal)});
}

export function useRuns() {
  return useQuery({queryKey: ["runs"], queryFn: ({signal}) => get<{runs: Run[]}>("/runs", {}, signal)});
}

export function usePipelines() {
  return useQuery({queryKey: ["pipelines"], queryFn: ({signal}) => get<PipelinePage>("/pipelines", {}, signal), refetchInterval: NET_MS});
}

export function useChannels() {
  return useQuery({queryKey: ["channels"], queryFn: ({signal}) => get<NoticeChannels>("/channels", {}, signal)});
}

export function useImportState() {
  return useQuery({queryKey: ["import"], queryFn: ({signal}) => get<ImportState>("/import", {}, signal)});
}
