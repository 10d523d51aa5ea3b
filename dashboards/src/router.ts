import type {QueryClient} from "@tanstack/vue-query";
import {ref} from "vue";
import {createRouter, createWebHistory, type RouteRecordRaw} from "vue-router";
import {ApiProblem} from "./api/client";
import {fetchMe, meKey} from "./api/queries";
import type {Me} from "./api/schema";

declare module "vue-router" {
  interface RouteMeta {
    /** The page of `Me.pages` that opens this route; without one, every signed-in reader may see it. */
    page?: string;
    /** The key of the title in the catalogs. */
    title?: string;
    /** No login needed. */
    open?: boolean;
  }
}

const routes: RouteRecordRaw[] = [
  {path: "/", name: "home", component: () => import("./pages/NotFoundPage.vue")},
  {path: "/login", name: "login", component: () => import("./pages/LoginPage.vue"), meta: {open: true, title: "login.title"}},
  {path: "/cockpit", component: () => import("./pages/CockpitPage.vue"), meta: {page: "cockpit", title: "nav.cockpit"}},
  {path: "/students", component: () => import("./pages/StudentsPage.vue"), meta: {page: "students", title: "nav.students"}},
  {path: "/students/:student_key", name: "portrait", component: () => import("./pages/PortraitPage.vue"), meta: {page: "portrait", title: "portrait.title"}},
  {path: "/students/:student_key/archive", component: () => import("./pages/ArchivePage.vue"), meta: {page: "portrait", title: "archive.title"}},
  {path: "/students/:student_key/album", component: () => import("./pages/AlbumPage.vue"), meta: {page: "portrait", title: "album.title"}},
  {path: "/me/hints", component: () => import("./pages/HintsPage.vue"), meta: {page: "me", title: "hints.title"}},
  {path: "/me/help", component: () => import("./pages/HelpPage.vue"), meta: {page: "me", title: "help.title"}},
  {path: "/me/archive", component: () => import("./pages/ArchivePage.vue"), meta: {page: "me", title: "archive.my_title"}},
  {path: "/me/album", component: () => import("./pages/AlbumPage.vue"), meta: {page: "me", title: "album.title"}},
  {path: "/care", component: () => import("./pages/CarePage.vue"), meta: {page: "care", title: "nav.care"}},
  {path: "/duty", component: () => import("./pages/DutyPage.vue"), meta: {page: "duty", title: "duty.title"}},
  {path: "/roster", redirect: "/duty"},
  {path: "/sweeps", component: () => import("./pages/SweepsPage.vue"), meta: {page: "care", title: "sweeps.title"}},
  {path: "/screening", component: () => import("./pages/ScreeningPage.vue"), meta: {page: "screening", title: "nav.screening"}},
  {path: "/death", component: () => import("./pages/DeathPage.vue"), meta: {page: "death", title: "nav.death"}},
  {path: "/observe", component: () => import("./pages/ObservePage.vue"), meta: {page: "observe", title: "nav.observe"}},
  {path: "/ledger", component: () => import("./pages/LedgerPage.vue"), meta: {page: "ledger", title: "nav.ledger"}},
  {path: "/lists", component: () => import("./pages/ListsPage.vue"), meta: {page: "lists", title: "nav.lists"}},
  {path: "/lists/:list", name: "list", component: () => import("./pages/ListPage.vue"), meta: {page: "lists", title: "nav.lists"}},
  {path: "/aid", component: () => import("./pages/AidPage.vue"), meta: {page: "aid", title: "nav.aid"}},
  {path: "/referrals", component: () => import("./pages/ReferralsPage.vue"), meta: {page: "referrals", title: "nav.referrals"}},
  {path: "/tickets", component: () => import("./pages/TicketsPage.vue"), meta: {page: "tickets", title: "nav.tickets"}},
  {path: "/catalog", component: () => import("./pages/CatalogPage.vue"), meta: {page: "catalog", title: "nav.catalog"}},
  {path: "/models", component: () => import("./pages/ModelsPage.vue"), meta: {page: "models", title: "nav.models"}},
  {path: "/models/:model", component: () => import("./pages/ModelPage.vue"), meta: {page: "models", title: "nav.models"}},
  {path: "/runs", component: () => import("./pages/RunsPage.vue"), meta: {page: "runs", title: "nav.runs"}},
  {path: "/pipelines", component: () => import("./pages/PipelinesPage.vue"), meta: {page: "pipelines", title: "nav.pipelines"}},
  {path: "/import", component: () => import("./pages/ImportPage.vue"), meta: {page: "import", title: "nav.import"}},
  {path: "/me", component: () => import("./pages/MePage.vue"), meta: {page: "me", title: "nav.me"}},
  // The link of a message: the server marks it as read and says where the work waits.
  {path: "/notices/:message_id", component: () => import("./pages/NotFoundPage.vue"), beforeEnter: (to) => { location.assign(to.fullPath); return false; }},
  {path: "/403", name: "forbidden", component: () => import("./pages/ForbiddenPage.vue"), meta: {title: "error.forbidden_title"}},
  {path: "/:rest(.*)*", name: "missing", component: () => import("./pages/NotFoundPage.vue"), meta: {title: "error.not_found_title"}},
];

/** Order of the navigation; the first a reader may see is their first page. */
export const navigation = ["cockpit", "care", "students", "me", "lists", "observe", "screening", "ledger", "aid", "referrals", "tickets", "models", "catalog", "runs", "pipelines", "import", "death"] as const;

/** Pages of `Me.pages` that open a route which is more than one page's: a shift has cases and no care notes. */
const alike: Record<string, readonly string[]> = {care: ["care", "cases"], duty: ["care", "cases", "roster"]};

export function mayOpen(me: Me | undefined, page: string): boolean {
  return (alike[page] ?? [page]).some((it) => me?.pages.includes(it) ?? false);
}

export function firstPage(me: Me): string {
  const page = navigation.find((it) => mayOpen(me, it));
  return page === undefined ? "/403" : `/${page}`;
}

/** Set when not even the reader's own account could be fetched; the app then shows why instead of a page. */
export const sessionProblem = ref<ApiProblem | null>(null);

export function buildRouter(queries: QueryClient) {
  const router = createRouter({
    history: createWebHistory("/"),
    routes,
    scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : {top: 0}),
  });
  router.beforeEach(async (to) => {
    if (to.meta.open) return true;
    let me: Me;
    try {
      me = await queries.ensureQueryData({queryKey: meKey, queryFn: () => fetchMe(), retry: false});
      sessionProblem.value = null;
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      if (error.status === 401) return {name: "login", query: to.fullPath === "/" ? {} : {to: to.fullPath}};
      sessionProblem.value = error;
      return true;
    }
    if (to.name === "home") return {path: firstPage(me), replace: true};
    if (to.meta.page !== undefined && !mayOpen(me, to.meta.page)) return {name: "forbidden", replace: true};
    return true;
  });
  // The code of a page could not be fetched: the network is gone, or a new version was installed meanwhile.
  router.onError((_, to) => {
    if (navigator.onLine) location.assign(to.fullPath);
    else sessionProblem.value = new ApiProblem({title: "", status: 0, code: "offline"});
  });
  return router;
}
