import {keepPreviousData, useInfiniteQuery, useQuery} from "@tanstack/vue-query";
import {computed, toValue, type MaybeRefOrGetter} from "vue";
import {get} from "./client";
import type {
  CarePage, Catalog, Cockpit, Health, ImportState, ListHead, Me, Portrait, RecordPage, Run, StudentPage, Tickets, WorkList,
} from "./schema";

export const meKey = ["me"] as const;

export function fetchMe(signal?: AbortSignal): Promise<Me> {
  return get<Me>("/me", {}, signal);
}

export function useMe() {
  return useQuery({queryKey: meKey, queryFn: ({signal}) => fetchMe(signal), staleTime: Infinity});
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

export function usePortrait(studentKey: MaybeRefOrGetter<string>, asOf: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: ["portrait", computed(() => toValue(studentKey)), computed(() => toValue(asOf))],
    queryFn: ({signal}) =>
      get<Portrait>(`/students/${encodeURIComponent(toValue(studentKey))}/portrait`, {as_of: toValue(asOf)}, signal),
    enabled: () => toValue(studentKey) !== "",
  });
}

export function useRecord(studentKey: MaybeRefOrGetter<string>, kind: MaybeRefOrGetter<string>) {
  return useInfiniteQuery({
    queryKey: ["record", computed(() => toValue(studentKey)), computed(() => toValue(kind))],
    queryFn: ({pageParam, signal}) =>
      get<RecordPage>(
        `/students/${encodeURIComponent(toValue(studentKey))}/record`,
        {kind: toValue(kind), before: pageParam, limit: 40},
        signal,
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
    enabled: () => toValue(studentKey) !== "",
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

export function useLists() {
  return useQuery({queryKey: ["lists"], queryFn: ({signal}) => get<{lists: ListHead[]}>("/lists", {}, signal)});
}

export function useList(list: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: ["list", computed(() => toValue(list))],
    queryFn: ({signal}) => get<WorkList>(`/lists/${encodeURIComponent(toValue(list))}`, {}, signal),
  });
}

export function useTickets(office: MaybeRefOrGetter<string>, category: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: ["tickets", computed(() => toValue(office)), computed(() => toValue(category))],
    queryFn: ({signal}) => get<Tickets>("/tickets", {office: toValue(office), category: toValue(category)}, signal),
    placeholderData: keepPreviousData,
  });
}

export function useCatalog() {
  return useQuery({queryKey: ["catalog"], queryFn: ({signal}) => get<Catalog>("/catalog", {}, signal)});
}

export function useRuns() {
  return useQuery({queryKey: ["runs"], queryFn: ({signal}) => get<{runs: Run[]}>("/runs", {}, signal)});
}

export function useImportState() {
  return useQuery({queryKey: ["import"], queryFn: ({signal}) => get<ImportState>("/import", {}, signal)});
}
