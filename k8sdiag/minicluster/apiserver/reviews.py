"""Questions one asks the server about access and identity: created, answered, never stored
(pkg/registry/authorization, pkg/registry/authentication)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from k8sdiag.clock import Clock, format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.authentication import Authenticator
from k8sdiag.minicluster.apiserver.authorization import Asked, Authorizer
from k8sdiag.minicluster.apiserver.bodies import read_body
from k8sdiag.minicluster.apiserver.request import Answer, Request, User
from k8sdiag.minicluster.apiserver.tokens import AUDIENCES, TokenError

Review = Callable[[Request, Json], Json]


class Reviews:
    """The review kinds, by the resource's name."""

    def __init__(self, authorizer: Authorizer, authenticator: Authenticator, clock: Clock) -> None:
        self._authorizer = authorizer
        self._authenticator = authenticator
        self._clock = clock
        self._kinds: Mapping[str, Review] = {
            "selfsubjectaccessreviews.authorization.k8s.io": self._self_access,
            "subjectaccessreviews.authorization.k8s.io": self._access,
            "localsubjectaccessreviews.authorization.k8s.io": self._local_access,
            "selfsubjectrulesreviews.authorization.k8s.io": self._self_rules,
            "tokenreviews.authentication.k8s.io": self._token,
            "selfsubjectreviews.authentication.k8s.io": self._self,
        }

    def answers(self, request: Request) -> bool:
        """Is this a question rather than an object?"""
        return request.resource.qualified in self._kinds

    def review(self, request: Request) -> Answer:
        """201 with the question and its answer. Raises ApiError for what is no question."""
        if request.verb != "create":
            raise errors.no_such_method()
        resource = request.resource
        body = read_body(resource.definition, request.body if request.body is not None else {})
        status = self._kinds[resource.qualified](request, body.get("spec") or {})
        meta: Json = {"creationTimestamp": None, **(body.get("metadata") or {})}
        answered: Json = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
        if resource.plural == "selfsubjectreviews":
            meta["creationTimestamp"] = format_time(self._clock.now())
        else:
            answered["spec"] = body.get("spec") or {}
        return Answer(201, {**answered, "status": status})

    # ---- may they?

    def _self_access(self, request: Request, spec: Json) -> Json:
        return self._decide(request, request.user, spec)

    def _access(self, request: Request, spec: Json) -> Json:
        if not spec.get("user") and not spec.get("groups"):
            cause = errors.required("spec.user", "at least one of user or group must be specified")
            raise errors.invalid(request.resource, "", [cause])
        extra = {key: tuple(values or ()) for key, values in (spec.get("extra") or {}).items()}
        groups = tuple(map(str, spec.get("groups") or ()))
        user = User(str(spec.get("user") or ""), groups, str(spec.get("uid") or ""), extra)
        return self._decide(request, user, spec)

    def _local_access(self, request: Request, spec: Json) -> Json:
        asked = (spec.get("resourceAttributes") or {}).get("namespace", "")
        if asked != request.namespace:
            cause = errors.invalid_value("spec.resourceAttributes.namespace", asked, "must match metadata.namespace")
            raise errors.invalid(request.resource, "", [cause])
        return self._access(request, spec)

    def _decide(self, request: Request, user: User, spec: Json) -> Json:
        resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if bool(resource) == bool(path):
            detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            cause = errors.invalid_value("spec.resourceAttributes", resource or None, detail)
            raise errors.invalid(request.resource, "", [cause])
        decision = self._authorizer.decide(user, _asked(resource, path))
        status: Json = {"allowed": decision.allowed}
        if decision.reason:
            status["reason"] = decision.reason
        return status

    def _self_rules(self, request: Request, spec: Json) -> Json:
        namespace = spec.get("namespace")
        if not namespace:
            raise errors.bad_request("no namespace on request")
        rules, problems = self._authorizer.rules(request.user, str(namespace))
        status: Json = {
            "resourceRules": [_in_order(rule) for rule in rules if "nonResourceURLs" not in rule],
            "nonResourceRules": [_in_order(rule) for rule in rules if "nonResourceURLs" in rule],
            "incomplete": bool(problems),
        }
        if problems:
            status["evaluationError"] = ", ".join(problems)
        return status

    # ---- who is it?

    def _self(self, request: Request, _spec: Json) -> Json:
        return {"userInfo": user_info(request.user)}

    def _token(self, _request: Request, spec: Json) -> Json:
        token = spec.get("token")
        if not token:
            raise errors.bad_request("token is required for TokenReview in authentication")
        audiences = [str(audience) for audience in spec.get("audiences") or AUDIENCES]
        try:
            user, shared = self._authenticator.check_token(str(token), audiences)
        except TokenError as error:
            return {"user": {}, "error": f"[invalid bearer token, {error}]"}
        return {"authenticated": True, "user": user_info(user), "audiences": shared}


def _asked(resource: Json | None, path: Json | None) -> Asked:
    if resource:
        words = (resource.get(key) or "" for key in ("verb", "group", "resource", "subresource", "namespace", "name"))
        return Asked(*words)
    path = path or {}
    return Asked(str(path.get("verb") or ""), path=str(path.get("path") or ""))


def _in_order(rule: Json) -> Json:
    """Verbs first, as the type has them."""
    return {"verbs": rule.get("verbs", []), **{key: value for key, value in rule.items() if key != "verbs"}}


def user_info(user: User) -> Json:
    """authentication/v1 UserInfo."""
    info: Json = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info
