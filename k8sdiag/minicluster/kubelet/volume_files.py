"""Volumes whose content comes from the API: ConfigMap, Secret, downward API, and projections of them
(pkg/volume/{configmap,secret,downwardapi,projected})."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet import downward
from k8sdiag.minicluster.kubelet.references import CONFIG_MAP, SECRET, References, UnresolvedError

Files = dict[str, bytes]
KINDS = ("configMap", "secret", "downwardAPI", "projected")


class LiveFiles(Mapping[str, bytes]):
    """The content as it is when it is read, so that a changed ConfigMap is seen; what was there stays when its source
    goes away."""

    def __init__(self, read: Callable[[], Files], first: Files) -> None:
        self._read, self._last = read, first

    def _now(self) -> Files:
        try:
            self._last = self._read()
        except UnresolvedError:
            return self._last
        return self._last

    def __getitem__(self, path: str) -> bytes:
        return self._now()[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())


class VolumeFiles:
    """Makes the files of one pod's volumes."""

    def __init__(
        self,
        pod: Json,
        references: References,
        place: Callable[[], tuple[str, tuple[str, ...]]],
        node: Json | None,
        token: Callable[[Json, Json], bytes],
    ) -> None:
        self._pod, self._references, self._place, self._node, self._token = pod, references, place, node, token
        self._namespace = pod["metadata"]["namespace"]

    def files(self, volume: Json) -> Files:
        """The files of a volume by their paths. Raises UnresolvedError with what SetUp would fail with."""
        if "configMap" in volume:
            source = volume["configMap"] or {}
            return self._keys(CONFIG_MAP, source.get("name", ""), source)
        if "secret" in volume:
            source = volume["secret"] or {}
            return self._keys(SECRET, source.get("secretName", ""), source)
        if "downwardAPI" in volume:
            return self._downward(volume["downwardAPI"] or {})
        return self._projected(volume["projected"] or {})

    def _keys(self, kind: str, name: str, source: Json) -> Files:
        optional = bool(source.get("optional"))
        data = self._references.data(kind, self._namespace, name, optional)
        if data is None:
            return {}
        items = source.get("items")
        if not items:
            return data
        made: Files = {}
        for item in items:
            if item["key"] in data:
                made[item["path"]] = data[item["key"]]
            elif not optional:
                lead = "configmap references non-existent config key: " if kind == CONFIG_MAP else ""
                raise UnresolvedError(f"{lead or 'references non-existent secret key: '}{item['key']}")
        return made

    def _downward(self, source: Json) -> Files:
        made: Files = {}
        for item in source.get("items") or ():
            if item.get("fieldRef"):
                text = downward.field(self._pod, str(item["fieldRef"].get("fieldPath", "")), *self._place())
            else:
                text = downward.resource(self._pod, item.get("resourceFieldRef") or {}, {}, self._node)
            made[item["path"]] = text.encode()
        return made

    def _projected(self, source: Json) -> Files:
        """All sources; their errors are told together."""
        made: Files = {}
        errors: list[str] = []
        for one in source.get("sources") or ():
            try:
                made |= self._source(one)
            except UnresolvedError as missing:
                errors.append(str(missing))
        if errors:
            distinct = list(dict.fromkeys(errors))
            raise UnresolvedError(distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]")
        return made

    def _source(self, one: Json) -> Files:
        if one.get("configMap") is not None:
            return self._keys(CONFIG_MAP, one["configMap"].get("name", ""), one["configMap"])
        if one.get("secret") is not None:
            return self._keys(SECRET, one["secret"].get("name", ""), one["secret"])
        if one.get("downwardAPI") is not None:
            return self._downward(one["downwardAPI"])
        if one.get("serviceAccountToken") is not None:
            wanted = one["serviceAccountToken"]
            return {str(wanted.get("path", "token")): self._token(self._pod, wanted)}
        return {}
