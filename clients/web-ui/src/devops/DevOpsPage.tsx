import { useSearchParams } from "react-router";
import { DevOpsActivityPanel } from "./DevOpsActivityPanel";

/** `/devops?activity=ID`: what is being done to the system, and what was. */
export default function DevOpsPage() {
  const [params] = useSearchParams();
  return (
    <>
      <div className="page-head">
        <h1>DevOps activity</h1>
      </div>
      <DevOpsActivityPanel selected={params.get("activity") ?? ""} />
    </>
  );
}
