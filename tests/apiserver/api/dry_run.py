"""What the API server says of manifests: dry runs, several at once, validated as strictly as `kubectl apply` does."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, ApiException, Configuration, CustomObjectsApi
from videojob_api.base import API_VERSION, GROUP, KIND, PLURAL, VERSION

from tests.validation_result import ValidationResult

AT_ONCE = 8
UNKNOWN_FIELD = re.compile(r'unknown field "([^"]+)"')
UNCHECKED = "<nil>"
"""Where the API server puts its remark that it did not evaluate the rules of a malformed object."""

Manifest = dict[str, Any]
Call = Callable[[CustomObjectsApi], Coroutine[Any, Any, Any]]


@dataclass(frozen=True)
class DryRunValidator:
    """Asks one API server, in one namespace; nothing stays there but what `keep` puts."""

    kubeconfig: Path
    namespace: str

    def creations(self, manifests: Iterable[Manifest]) -> list[ValidationResult]:
        """One verdict for each manifest that would be created."""
        return self._verdicts([partial(self._create, body=each, dry_run="All") for each in manifests])

    def changes(self, pairs: Sequence[tuple[Manifest, Manifest]]) -> list[ValidationResult]:
        """One verdict for each change of a VideoJob, which is really created first, to another manifest's spec."""
        names = {json.dumps(old["spec"]): f"job-{number}" for number, (old, _) in enumerate(pairs)}
        olds = [manifest(json.loads(spec), {"name": name}) for spec, name in names.items()]
        made = asyncio.run(self._all([partial(self._create, body=each, dry_run=None) for each in olds]))
        kept = {json.dumps(old["spec"]): reply for old, reply in zip(olds, made, strict=True)}
        return self._verdicts([partial(self._change, old=kept[json.dumps(old["spec"])], new=new) for old, new in pairs])

    def created(self, manifest: Manifest) -> Manifest:
        """What the API server makes of a good manifest, defaults and all."""
        [made] = asyncio.run(self._all([partial(self._create, body=manifest, dry_run="All")]))
        return dict(made)

    def _verdicts(self, calls: Sequence[Call]) -> list[ValidationResult]:
        return [dry_run(answer) for answer in asyncio.run(self._all(calls))]

    async def _all(self, calls: Sequence[Call]) -> list[Any]:
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(call: Call) -> Any:
            async with turn:
                try:
                    return await call(api)
                except ApiException as refusal:
                    return refusal

        async with self._connected() as api:
            return await asyncio.gather(*map(one, calls))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[CustomObjectsApi]:
        configuration = Configuration()
        await config.load_kube_config(str(self.kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
        async with ApiClient(configuration) as client:
            yield CustomObjectsApi(client)

    async def _create(self, api: CustomObjectsApi, *, body: Manifest, dry_run: str | None) -> Any:
        return await api.create_namespaced_custom_object(
            GROUP, VERSION, self.namespace, PLURAL, body, dry_run=dry_run, field_validation="Strict"
        )

    async def _change(self, api: CustomObjectsApi, *, old: Manifest, new: Manifest) -> Any:
        wanted = {key: old["metadata"][key] for key in ("name", "resourceVersion")}
        return await api.replace_namespaced_custom_object(
            GROUP,
            VERSION,
            self.namespace,
            PLURAL,
            wanted["name"],
            manifest(new["spec"], wanted),
            dry_run="All",
            field_validation="Strict",
        )


def manifest(spec: Manifest, metadata: Manifest) -> Manifest:
    """A VideoJob of these two parts."""
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def dry_run(answer: Any) -> ValidationResult:
    """The verdict in an answer: the object that was taken, or the refusal. Other failures are raised."""
    if not isinstance(answer, ApiException):
        return ValidationResult(frozenset())
    status = json.loads(answer.body or "{}")
    causes = status.get("details", {}).get("causes", [])
    fields = {cause["field"] for cause in causes} | set(UNKNOWN_FIELD.findall(status["message"]))
    if answer.status not in (400, 422) or not fields:
        raise answer
    return ValidationResult(frozenset(fields - {UNCHECKED}), status["message"])
