import { Component, type ErrorInfo, type ReactNode } from "react";
import { Outlet, useLocation } from "react-router";
import { ErrorWithRetry } from "../shared/states";

interface GuardProps {
  /** Another page is another try. */
  page: string;
  children: ReactNode;
}

class Guard extends Component<GuardProps, { error: Error | null; page: string }> {
  override state: { error: Error | null; page: string } = { error: null, page: this.props.page };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  static getDerivedStateFromProps(props: GuardProps, state: { page: string }): { error: null; page: string } | null {
    return props.page === state.page ? null : { error: null, page: props.page };
  }

  override componentDidCatch(error: Error, info: ErrorInfo): void {
    console.error(error, info.componentStack);
  }

  override render(): ReactNode {
    const { error } = this.state;
    // A file of the application that is gone, after an update of the gateway, comes back with a reload only.
    return error ? <ErrorWithRetry what="This page" error={error} onRetry={() => window.location.reload()} /> : this.props.children;
  }
}

/** Keeps a page that fails from taking the navigation and the banner with it. */
export function PageGuard() {
  const section = useLocation().pathname.split("/")[1] ?? "";
  return (
    <Guard page={section}>
      <Outlet />
    </Guard>
  );
}
