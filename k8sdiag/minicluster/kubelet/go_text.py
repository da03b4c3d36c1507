"""A container as Kubernetes' Go types print it (`%v` of *v1.Container: staging/src/k8s.io/api/core/v1/generated.pb.go),
which is how a kubelet names the container that it could not start."""

from __future__ import annotations

from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.quantity import parse_quantity

# A type's fields in their order: Go name, key, and what it is: `s` a string or number, `b` a flag, `[s` a list of
# strings, `*s` an optional one, `Type` a struct, `*Type` a pointer to one, `[Type` a list of them, `R` a resource list.
_STRUCTS: dict[str, str] = {
    "Container": "Name name s,Image image s,Command command [s,Args args [s,WorkingDir workingDir s,"
    "Ports ports [ContainerPort,Env env [EnvVar,Resources resources ResourceRequirements,"
    "VolumeMounts volumeMounts [VolumeMount,LivenessProbe livenessProbe *Probe,ReadinessProbe readinessProbe *Probe,"
    "Lifecycle lifecycle *Lifecycle,TerminationMessagePath terminationMessagePath s,"
    "ImagePullPolicy imagePullPolicy s,SecurityContext securityContext *SecurityContext,Stdin stdin b,"
    "StdinOnce stdinOnce b,TTY tty b,EnvFrom envFrom [EnvFromSource,"
    "TerminationMessagePolicy terminationMessagePolicy s,VolumeDevices volumeDevices [VolumeDevice,"
    "StartupProbe startupProbe *Probe,ResizePolicy resizePolicy [ContainerResizePolicy,RestartPolicy restartPolicy *s",
    "ContainerPort": "Name name s,HostPort hostPort n,ContainerPort containerPort n,Protocol protocol s,"
    "HostIP hostIP s",
    "EnvVar": "Name name s,Value value s,ValueFrom valueFrom *EnvVarSource",
    "EnvVarSource": "FieldRef fieldRef *ObjectFieldSelector,ResourceFieldRef resourceFieldRef *ResourceFieldSelector,"
    "ConfigMapKeyRef configMapKeyRef *ConfigMapKeySelector,SecretKeyRef secretKeyRef *SecretKeySelector",
    "ObjectFieldSelector": "APIVersion apiVersion s,FieldPath fieldPath s",
    "ResourceFieldSelector": "ContainerName containerName s,Resource resource s,Divisor divisor Q",
    "ConfigMapKeySelector": "LocalObjectReference . LocalObjectReference,Key key s,Optional optional *s",
    "SecretKeySelector": "LocalObjectReference . LocalObjectReference,Key key s,Optional optional *s",
    "LocalObjectReference": "Name name s",
    "ResourceRequirements": "Limits limits R,Requests requests R,Claims claims [ResourceClaim",
    "ResourceClaim": "Name name s,Request request s",
    "VolumeMount": "Name name s,ReadOnly readOnly b,MountPath mountPath s,SubPath subPath s,"
    "MountPropagation mountPropagation *s,SubPathExpr subPathExpr s,RecursiveReadOnly recursiveReadOnly *s",
    "VolumeDevice": "Name name s,DevicePath devicePath s",
    "ContainerResizePolicy": "ResourceName resourceName s,RestartPolicy restartPolicy s",
    "EnvFromSource": "Prefix prefix s,ConfigMapRef configMapRef *ConfigMapEnvSource,"
    "SecretRef secretRef *SecretEnvSource",
    "ConfigMapEnvSource": "LocalObjectReference . LocalObjectReference,Optional optional *s",
    "SecretEnvSource": "LocalObjectReference . LocalObjectReference,Optional optional *s",
    "Probe": "ProbeHandler . ProbeHandler,InitialDelaySeconds initialDelaySeconds n,TimeoutSeconds timeoutSeconds n,"
    "PeriodSeconds periodSeconds n,SuccessThreshold successThreshold n,FailureThreshold failureThreshold n,"
    "TerminationGracePeriodSeconds terminationGracePeriodSeconds *s",
    "ProbeHandler": "Exec exec *ExecAction,HTTPGet httpGet *HTTPGetAction,TCPSocket tcpSocket *TCPSocketAction,"
    "GRPC grpc *GRPCAction",
    "Lifecycle": "PostStart postStart *LifecycleHandler,PreStop preStop *LifecycleHandler,StopSignal stopSignal *s",
    "LifecycleHandler": "Exec exec *ExecAction,HTTPGet httpGet *HTTPGetAction,TCPSocket tcpSocket *TCPSocketAction,"
    "Sleep sleep *SleepAction",
    "ExecAction": "Command command [s",
    "HTTPGetAction": "Path path s,Port port P,Host host s,Scheme scheme s,HTTPHeaders httpHeaders [HTTPHeader",
    "HTTPHeader": "Name name s,Value value s",
    "TCPSocketAction": "Port port P,Host host s",
    "GRPCAction": "Port port n,Service service *s",
    "SleepAction": "Seconds seconds n",
    "SecurityContext": "Capabilities capabilities *Capabilities,Privileged privileged *s,"
    "SELinuxOptions seLinuxOptions *SELinuxOptions,RunAsUser runAsUser *s,RunAsNonRoot runAsNonRoot *s,"
    "ReadOnlyRootFilesystem readOnlyRootFilesystem *s,AllowPrivilegeEscalation allowPrivilegeEscalation *s,"
    "RunAsGroup runAsGroup *s,ProcMount procMount *s,WindowsOptions windowsOptions *WindowsSecurityContextOptions,"
    "SeccompProfile seccompProfile *SeccompProfile,AppArmorProfile appArmorProfile *AppArmorProfile",
    "Capabilities": "Add add [s,Drop drop [s",
    "SELinuxOptions": "User user s,Role role s,Type type s,Level level s",
    "SeccompProfile": "Type type s,LocalhostProfile localhostProfile *s",
    "AppArmorProfile": "Type type s,LocalhostProfile localhostProfile *s",
    "WindowsSecurityContextOptions": "GMSACredentialSpecName gmsaCredentialSpecName *s,"
    "GMSACredentialSpec gmsaCredentialSpec *s,RunAsUserName runAsUserName *s,HostProcess hostProcess *s",
}
_FIELDS = {name: tuple(tuple(field.split(" ")) for field in fields.split(",")) for name, fields in _STRUCTS.items()}
_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def container_text(container: Json) -> str:
    """`&Container{Name:app,…}`."""
    return f"&{_struct('Container', container)}"


def _struct(name: str, found: Json) -> str:
    parts = (f"{go}:{_value(kind, found if key == '.' else found.get(key))}," for go, key, kind in _FIELDS[name])
    return f"{name}{{{''.join(parts)}}}"


def _value(kind: str, found: Any) -> str:
    if kind[0] == "*":
        if found is None:
            return "nil"
        return f"*{_plain(found)}" if kind == "*s" else f"&{_struct(kind[1:], found)}"
    if kind == "[s":
        return f"[{' '.join(str(one) for one in found or ())}]"
    if kind[0] == "[":
        return f"[]{kind[1:]}{{{''.join(_struct(kind[1:], one) + ',' for one in found or ())}}}"
    if kind == "s":
        return _plain("" if found is None else found)
    if kind in ("n", "b"):
        return _plain((0 if kind == "n" else False) if found is None else found)
    return _odd(kind, found)


def _odd(kind: str, found: Any) -> str:
    if kind == "R":
        return f"ResourceList{{{''.join(f'{name}: {_quantity(str(found[name]))},' for name in sorted(found or {}))}}}"
    if kind == "Q":
        return _quantity(str(found or "0"))
    if kind == "P":
        number = isinstance(found, int)
        return f"{{{0 if number else 1} {found if number else 0} {'' if number else found or ''}}}"
    return _struct(kind, found or {})


def _plain(found: Any) -> str:
    return str(found).lower() if isinstance(found, bool) else str(found)


def _quantity(text: str) -> str:
    """`{{250 -3} {<nil>} 250m DecimalSI}` (resource.Quantity's fields)."""
    form = "BinarySI" if text.endswith(_BINARY) else "DecimalSI"
    if text.endswith("m") and text[:-1].isdigit():
        return f"{{{{{text[:-1]} -3}} {{<nil>}} {text} {form}}}"
    return f"{{{{{int(parse_quantity(text) or 0)} 0}} {{<nil>}} {text} {form}}}"
