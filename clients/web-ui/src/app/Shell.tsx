import { useQuery } from "@tanstack/react-query";
import { Suspense, useEffect, useRef } from "react";
import { Link, NavLink, Outlet, useLocation } from "react-router";
import { DevOpsNotificationBanner } from "../devops/DevOpsNotificationBanner";
import { daemonsQuery, useChoice, useDaemonName, useFollow, useLive } from "../live/useLive";
import { Button } from "../shared/Button";
import { ConnectionBar, ConnectionState } from "../shared/ConnectionState";
import { useSession } from "../shared/session";
import { Skeleton } from "../shared/states";
import { useTheme, type Theme } from "./theme";
import { TokenDialog } from "./TokenDialog";

const PAGES = [
  { to: "/demo", name: "Demo" },
  { to: "/services", name: "Services" },
  { to: "/devops", name: "DevOps" },
  { to: "/kubernetes", name: "Kubernetes" },
] as const;

/** What stands around every page: navigation, connection, banner, and the dialog for the token. */
export function Shell() {
  useFollow();
  const page = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const section = pathname.split("/")[1] ?? "";
  const shown = useRef(section);

  useEffect(() => {
    const name = PAGES.find((one) => one.to === `/${section}`)?.name;
    document.title = name ? `${name} · Operator console` : "Operator console";
    // Another page is announced by giving it the focus; a drawer within a page moves the focus by itself.
    if (shown.current !== section && shown.current !== "") {
      page.current?.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
    shown.current = section;
  }, [section]);

  return (
    <div className="shell">
      <a className="skip" href="#page">
        Skip to the page
      </a>
      <header className="topbar">
        <Link className="brand" to="/demo" aria-label="Operator console, live demo">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <path
              d="M3 18h6l3.5-11 5 20 4-13 2 4H29"
              fill="none"
              stroke="var(--good)"
              strokeWidth="3"
              strokeLinecap="round"
              strokeLinejoin="round"
            />
          </svg>
          <span className="brand-word">Operator</span>
        </Link>
        <nav className="nav" aria-label="Pages">
          {PAGES.map(({ to, name }) => (
            <NavLink key={to} to={to}>
              {name}
            </NavLink>
          ))}
        </nav>
        <div className="topbar-aside">
          <DaemonSelect />
          <ConnectionState />
          <ControlButton />
          <ThemeButton />
        </div>
      </header>
      <div>
        <ConnectionBar />
        <DevOpsNotificationBanner />
      </div>
      <main className="page" id="page" ref={page} tabIndex={-1}>
        <Suspense fallback={<Skeleton label="Loading the page" lines={6} />}>
          <Outlet />
        </Suspense>
      </main>
      <Foot />
      <TokenDialog />
    </div>
  );
}

function DaemonSelect() {
  const { data } = useQuery(daemonsQuery);
  const { choose } = useChoice();
  const daemon = useDaemonName();
  if (!data || data.daemons.length < 2) return null;
  return (
    <select className="input" aria-label="Daemon" value={daemon} onChange={(event) => choose(event.target.value)}>
      {data.daemons.map(({ name }) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
}

function ControlButton() {
  const { token, ask, setToken } = useSession();
  const { data } = useQuery(daemonsQuery);
  if (data && !data.control) return <span className="dim">read-only</span>;
  return token ? (
    <Button look="quiet" onClick={() => setToken("")} title="Forget the control token in this tab">
      <LockIcon open /> Control
    </Button>
  ) : (
    <Button look="quiet" onClick={() => ask("")} title="Enter the control token">
      <LockIcon /> Read-only
    </Button>
  );
}

function LockIcon({ open = false }: { open?: boolean }) {
  return (
    <svg className="glyph" viewBox="0 0 16 16" aria-hidden="true">
      <path
        d={open ? "M3 7.5h10v6H3zM5 7.5V5a3 3 0 0 1 5.8-1" : "M3 7.5h10v6H3zM5 7.5V5a3 3 0 0 1 6 0v2.5"}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.6"
        strokeLinejoin="round"
      />
    </svg>
  );
}

const NEXT_THEME: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const THEME_NAME: Record<Theme, string> = { system: "as the system", light: "light", dark: "dark" };

function ThemeButton() {
  const { theme, setTheme } = useTheme();
  return (
    <Button
      look="quiet"
      square
      aria-label={`Theme: ${THEME_NAME[theme]}. Switch to ${THEME_NAME[NEXT_THEME[theme]]}.`}
      title={`Theme: ${THEME_NAME[theme]}`}
      onClick={() => setTheme(NEXT_THEME[theme])}
    >
      <svg className="glyph" viewBox="0 0 16 16" aria-hidden="true">
        {theme === "light" ? (
          <path d="M8 4.8a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4M8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8 13 13M13 3l-1.2 1.2M4.2 11.8 3 13" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" />
        ) : theme === "dark" ? (
          <path d="M13.5 9.6A6 6 0 0 1 6.4 2.5a6 6 0 1 0 7.1 7.1z" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinejoin="round" />
        ) : (
          <path d="M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8zM8 1.8v12.4a6.2 6.2 0 0 1 0-12.4z" fill="currentColor" stroke="currentColor" strokeWidth="0.6" fillRule="evenodd" />
        )}
      </svg>
    </Button>
  );
}

function Foot() {
  const version = useLive((data) => data.state.version);
  const daemon = useDaemonName();
  return (
    <footer className="foot">
      {daemon && <span>daemon {daemon}</span>}
      {version?.["operatord"] && <span>operatord {version["operatord"]}</span>}
      {version?.["subject"] && <span>subject {version["subject"]}</span>}
      <a href="/api/openapi.json">API</a>
      <a href="/metrics">metrics</a>
    </footer>
  );
}
