import { Link } from "react-router";
import { EmptyState } from "../shared/states";

export function NotFound() {
  return (
    <>
      <h1 className="visually-hidden">Not found</h1>
      <EmptyState title="There is no such page">
        The address may be mistyped. <Link to="/demo">To the live demo</Link>
      </EmptyState>
    </>
  );
}
