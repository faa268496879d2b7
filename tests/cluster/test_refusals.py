"""What goes wrong with a real cluster, each in a sentence of its own, and what the state is afterwards."""

import contextlib
import http.server
import json
import ssl
import subprocess
import sys
import threading

import pytest
import trustme
import yaml
from servers.apiserver import free_port
from servers.filters import make, with_import

from wasmhub_magics.deploy import deploy, forget, logs, plan, status, undeploy
from wasmhub_magics.errors import (
    ClusterUnreachable,
    Conflict,
    DeployError,
    Forbidden,
    HubError,
    LinkError,
    Refused,
    Untrusted,
)
from wasmhub_magics.hub import generate_keys, sign
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Plugin

PLUGINS = "/apis/extensions.istio.io/v1alpha1/namespaces/{}/trafficextensions"


def extensions(server, where):
    return server.ask("GET", PLUGINS.format(where["namespace"]))["items"]


def test_no_kubeconfig_is_told_with_where_it_was_looked_for(pushed, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    plugin = make("one")
    with pytest.raises(DeployError, match="no kubeconfig file") as caught:
        deploy(plugin, "istio", image=pushed(plugin))
    assert "nowhere" in caught.value.where


def test_a_wrong_context_is_told_with_the_ones_there_are(where, pushed):
    plugin = make("one")
    with pytest.raises(DeployError, match="no context 'prod'") as caught:
        deploy(plugin, "istio", image=pushed(plugin), context="prod", **where)
    assert "admin, reader, stranger" in caught.value.do


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "cannot be read"),
        ("- a", "no mapping"),
        ("contexts: [{context: {}}]", "has no name"),
        ("contexts: []", "no current context"),
        ("current-context: a\ncontexts: [{name: a, context: {cluster: gone, user: u}}]", "cannot be used"),
    ],
)
def test_a_kubeconfig_that_is_damaged_is_named(pushed, tmp_path, text, told):
    (tmp_path / "config").write_text(text)
    plugin = make("one")
    with pytest.raises(DeployError, match=told):
        deploy(plugin, "istio", image=pushed(plugin), kubeconfig=tmp_path / "config")


def test_files_that_kubeconfig_lists_are_one_as_for_kubectl(server, where, pushed, tmp_path, monkeypatch):
    whole = yaml.safe_load(server.kubeconfig.read_text())
    entry = dict(
        whole["clusters"][0]["cluster"],
        **{"certificate-authority": str(server.folder / "certs/apiserver.crt")},
    )
    (tmp_path / "a").write_text(yaml.safe_dump({"clusters": [{"name": "test", "cluster": entry}]}))
    rest = {key: whole[key] for key in ("users", "contexts", "current-context")}
    (tmp_path / "b").write_text(yaml.safe_dump(rest))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    plugin = make("one")
    assert deploy(plugin, "istio", image=pushed(plugin), namespace=where["namespace"]).state == "applied"


def test_a_login_by_a_program_works_as_for_kubectl(server, where, pushed, tmp_path):
    whole = yaml.safe_load(server.kubeconfig.read_text())
    whole["clusters"][0]["cluster"]["certificate-authority"] = str(server.folder / "certs/apiserver.crt")
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
              "status": {"token": "admin-token"}}  # fmt: skip
    program = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable,
               "args": ["-c", f"print({json.dumps(answer)!r})"], "interactiveMode": "Never"}  # fmt: skip
    whole["users"] = [{"name": "admin", "user": {"exec": program}}]
    (tmp_path / "config").write_text(yaml.safe_dump(whole))
    plugin = make("one")
    options = {"kubeconfig": tmp_path / "config", "namespace": where["namespace"]}
    assert deploy(plugin, "istio", image=pushed(plugin), **options).version == 1
    program["args"] = ["-c", "raise SystemExit('no such account')"]
    (tmp_path / "config").write_text(yaml.safe_dump(whole))
    with pytest.raises(DeployError, match=r"login of context 'admin' cannot be used.*no such account"):
        deploy(plugin, "istio", image=pushed(plugin), **options)


def test_a_cluster_that_does_not_answer_is_told_with_its_address(server, where, pushed, tmp_path):
    whole = yaml.safe_load(server.kubeconfig.read_text())
    whole["clusters"][0]["cluster"] = {"server": f"https://127.0.0.1:{free_port()}"}
    (tmp_path / "config").write_text(yaml.safe_dump(whole))
    plugin = make("one")
    with pytest.raises(ClusterUnreachable, match="does not answer") as caught:
        deploy(plugin, "istio", image=pushed(plugin), kubeconfig=tmp_path / "config")
    assert "https://127.0.0.1" in caught.value.where


def test_a_token_that_the_cluster_does_not_know_is_told_and_not_shown(where, pushed):
    plugin = make("one")
    with pytest.raises(Forbidden, match="does not know who you are") as caught:
        deploy(plugin, "istio", image=pushed(plugin), context="stranger", **where)
    assert "wrong-token" not in str(caught.value)


def test_a_login_without_the_right_is_told_what_it_lacks(server, where, pushed):
    plugin = make("one")
    with pytest.raises(Forbidden, match='User "reader" cannot'):
        deploy(plugin, "istio", image=pushed(plugin), context="reader", **where)
    assert extensions(server, where) == []


def test_a_namespace_that_is_not_there_is_named(server, pushed):
    plugin = make("one")
    with pytest.raises(DeployError, match="no namespace 'nowhere'") as caught:
        deploy(plugin, "istio", image=pushed(plugin), kubeconfig=server.kubeconfig, namespace="nowhere")
    assert "kubectl create namespace nowhere" in caught.value.do


def test_a_product_that_is_not_installed_and_one_of_another_version_are_told_apart(server, where, pushed):
    from servers import crds

    plugin = make("one")
    (definition,) = crds.higress()
    server.unload(definition["metadata"]["name"])
    try:
        with pytest.raises(DeployError, match="serves no WasmPlugin") as caught:
            deploy(plugin, "higress", image=pushed(plugin), **where)
        assert "install Higress" in caught.value.do
        older = json.loads(json.dumps(definition))
        older["spec"]["versions"][0]["name"] = "v1alpha0"
        server.load([older])
        with pytest.raises(DeployError, match=r"it serves extensions\.higress\.io in v1alpha0") as caught:
            deploy(plugin, "higress", image=pushed(plugin), **where)
        assert "update Higress" in caught.value.do
    finally:
        server.unload(definition["metadata"]["name"])
        server.load([definition])


def test_a_field_that_somebody_else_owns_is_told_with_its_owner_and_taken_over_only_when_asked(
    server, where, pushed
):
    plugin = make("one")
    reference = pushed(plugin)
    deploy(plugin, "istio", image=reference, priority=1, **where)
    server.ask(
        "PATCH", PLUGINS.format(where["namespace"]) + "/greeter", {"spec": {"priority": 9}},
        params={"fieldManager": "kubectl-edit"}, headers={"content-type": "application/merge-patch+json"},
    )  # fmt: skip
    with pytest.raises(Conflict, match=r"kubectl-edit owns \.spec\.priority") as caught:
        deploy(plugin, "istio", image=reference, priority=2, **where)
    assert caught.value.owners == {"kubectl-edit": (".spec.priority",)}
    assert extensions(server, where)[0]["spec"]["priority"] == 9
    told = plan(plugin, "istio", image=reference, priority=2, adopt=True, **where)
    assert [str(c) for c in told.changes] == ["~ spec.priority: 9 -> 2"]
    assert deploy(plugin, "istio", image=reference, priority=2, adopt=True, **where).version == 2
    assert extensions(server, where)[0]["spec"]["priority"] == 2


def test_an_object_that_was_not_deployed_from_here_is_adopted_only_when_asked_and_given_back(
    server, where, pushed
):
    theirs = {"wasm": {"url": "oci://registry.test/theirs:v1"}, "priority": 3}
    server.create(
        {"apiVersion": "extensions.istio.io/v1alpha1", "kind": "TrafficExtension",
         "metadata": {"name": "greeter"}, "spec": theirs}, "trafficextensions", where["namespace"],
    )  # fmt: skip
    plugin = make("one")
    reference = pushed(plugin)
    with pytest.raises(Conflict, match="not deployed from here"):
        deploy(plugin, "istio", image=reference, **where)
    assert extensions(server, where)[0]["spec"] == theirs
    deploy(plugin, "istio", image=reference, adopt=True, **where)
    assert reference.rpartition(":")[0] in extensions(server, where)[0]["spec"]["wasm"]["url"]
    undeploy("greeter", "istio", **where)
    (back,) = extensions(server, where)
    assert back["spec"] == theirs
    assert "annotations" not in back["metadata"]


def test_another_policy_on_the_same_gateway_is_named(server, where, pushed):
    code = {"type": "Image", "image": {"url": "a.test/theirs:v1"}}
    target = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "eg"}
    spec = {"targetRefs": [target], "wasm": [{"name": "theirs", "code": code}]}
    server.create(
        {"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyExtensionPolicy",
         "metadata": {"name": "theirs"}, "spec": spec}, "envoyextensionpolicies", where["namespace"],
    )  # fmt: skip
    plugin = make("one")
    options = {"image": pushed(plugin), "on": "Gateway/eg", "wait": 0.0, **where}
    with pytest.raises(Conflict, match="'theirs' has Gateway/eg already"):
        deploy(plugin, "envoy-gateway", **options)
    deploy(plugin, "envoy-gateway", adopt=True, **options)
    path = f"/apis/gateway.envoyproxy.io/v1alpha1/namespaces/{where['namespace']}/envoyextensionpolicies"
    (live,) = server.ask("GET", path)["items"]
    assert [entry["name"] for entry in live["spec"]["wasm"]] == ["theirs", "greeter"]


def test_rules_of_the_schema_are_told_in_its_own_words(server, where, pushed):
    plugin = make("one", environment=(("A", "x" * 2049),))
    with pytest.raises(Refused, match=r"spec\.wasm\.vmConfig\.env.*2048"):
        deploy(plugin, "istio", image=pushed(plugin), **where)
    assert extensions(server, where) == []


def test_a_secret_that_is_not_there_or_holds_no_login_is_named(server, where, pushed):
    plugin = make("one")
    options = {"image": pushed(plugin), "pull_secret": "login", **where}
    with pytest.raises(DeployError, match="no secret 'login'"):
        deploy(plugin, "istio", **options)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "type": "Opaque"}
    server.create(secret, "secrets", where["namespace"])
    with pytest.raises(DeployError, match="holds no registry login: it is Opaque"):
        deploy(plugin, "istio", **options)
    secret |= {"metadata": {"name": "good"}, "type": "kubernetes.io/dockerconfigjson",
               "stringData": {".dockerconfigjson": "{\"auths\":{}}"}}  # fmt: skip
    server.create(secret, "secrets", where["namespace"])
    deploy(plugin, "istio", **{**options, "pull_secret": "good"})
    assert extensions(server, where)[0]["spec"]["wasm"]["imagePullSecret"] == "good"


def test_an_image_that_is_not_there_or_is_another_is_refused_before_the_cluster_is_asked(
    server, where, pushed, registry
):
    one, two = make("one"), make("two")
    with pytest.raises(HubError, match="no"):
        deploy(one, "istio", image=f"{registry}/team/nothing:v1", **where)
    with pytest.raises(HubError):
        deploy(one, "istio", image=f"127.0.0.1:{free_port()}/team/nothing:v1", **where)
    with pytest.raises(DeployError, match="holds another module") as caught:
        deploy(one, "istio", image=pushed(two), **where)
    assert one.module.digest in caught.value.what
    with pytest.raises(DeployError, match="local store"):
        deploy(one, "istio", image="team/greeter:v1", **where)
    with pytest.raises(DeployError, match="has to be told where"):
        deploy(one, "istio", **where)
    wrong = "sha256:" + "0" * 64
    with pytest.raises(HubError):
        deploy(one, "istio", image=f"{pushed(one)}@{wrong}", **where)
    assert extensions(server, where) == []


def test_a_module_that_no_proxy_runs_is_refused_before_the_cluster_is_asked(server, where, pushed):
    import wasmtime

    bad = Plugin(Module(bytes(wasmtime.wat2wasm('(module (import "env" "nope" (func)))'))), name="greeter")
    with pytest.raises(LinkError, match="nope"):
        deploy(bad, "istio", image=pushed(bad), **where)
    assert extensions(server, where) == []


def test_an_option_of_another_target_is_named(where, pushed):
    plugin = make("one")
    with pytest.raises(DeployError, match="Istio takes no upstream"):
        deploy(plugin, "istio", image=pushed(plugin), upstream="http://127.0.0.1:1", **where)


@contextlib.contextmanager
def webhook(server, where, answer):
    """A validating webhook on loopback that the API server calls for TrafficExtensions of the namespace."""
    ca = trustme.CA()
    certificate = ca.issue_cert("127.0.0.1")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            review = json.loads(self.rfile.read(int(self.headers["content-length"])))
            response = {"uid": review["request"]["uid"], **answer(review["request"])}
            body = json.dumps({**review, "response": response}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    hook.socket = context.wrap_socket(hook.socket, server_side=True)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    import base64

    name = f"hook-{where['namespace']}"
    rule = {"apiGroups": ["extensions.istio.io"], "apiVersions": ["*"], "resources": ["*"],
            "operations": ["CREATE", "UPDATE"]}  # fmt: skip
    base = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    label = {"matchLabels": {"kubernetes.io/metadata.name": where["namespace"]}}
    server.ask("POST", base, {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [{
            "name": "policy.example.test", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "namespaceSelector": label, "rules": [rule], "timeoutSeconds": 5,
            "clientConfig": {"url": f"https://127.0.0.1:{hook.server_port}/",
                             "caBundle": base64.b64encode(ca.cert_pem.bytes()).decode()},
        }],
    })  # fmt: skip
    try:
        yield hook
    finally:
        hook.shutdown()
        hook.server_close()
        with server.client() as client:
            client.delete(f"{base}/{name}")


def until_it_counts(attempt, error):
    """Webhooks count a moment after they are made: try until the error comes; what it was."""
    while True:
        try:
            attempt()
        except error as caught:
            return caught


def test_a_webhook_that_refuses_is_named_with_its_reason(server, where, pushed):
    plugin = make("one")
    reference = pushed(plugin)
    no = {"allowed": False, "status": {"message": "images must come from the company's registry"}}
    with webhook(server, where, lambda _: no):
        error = until_it_counts(lambda: plan(plugin, "istio", image=reference, **where), Refused)
        assert "policy.example.test refused it: images must come from the company's registry" in str(error)
        with pytest.raises(Refused, match="company's registry"):
            deploy(plugin, "istio", image=reference, **where)
    assert extensions(server, where) == []


def test_a_webhook_that_does_not_answer_is_named(server, where, pushed):
    plugin = make("one")
    reference = pushed(plugin)
    with webhook(server, where, lambda _: {"allowed": True}) as hook:
        hook.shutdown()
        hook.server_close()
        error = until_it_counts(lambda: plan(plugin, "istio", image=reference, **where), Refused)
        assert "policy.example.test does not answer" in str(error)


def test_a_cluster_that_dies_in_the_middle_is_told_and_its_state_known_when_it_is_back(server, where, pushed):
    plugin = make("one")
    reference = pushed(plugin)
    seen = []

    def answer(request):
        seen.append(request)
        if not request.get("dryRun") and request["name"] == "greeter":
            server.kill()  # as the object is about to be kept
        return {"allowed": True}

    steady = make("two", "steady")
    deploy(steady, "istio", image=pushed(steady), **where)
    try:
        with webhook(server, where, answer):
            while not seen:
                plan(plugin, "istio", image=reference, **where)
            with pytest.raises(ClusterUnreachable, match="does not answer") as caught:
                deploy(plugin, "istio", image=reference, **where)
            assert "not known whether version 1 was taken" in caught.value.do
            assert [(d.name, d.state) for d in status()] == [("steady", "unknown")]
            assert "steady on istio: the cluster does not answer" in repr(status())
            server.start()
    finally:
        if server.child.poll() is not None:
            server.start()
    assert [d.name for d in status("istio", **where)] == ["steady"]  # it died before it kept the other
    assert deploy(plugin, "istio", image=reference, **where).version == 1
    assert {(d.name, d.state) for d in status()} == {("steady", "applied"), ("greeter", "applied")}
    server.ask("DELETE", f"{PLUGINS.format(where['namespace'])}/steady")
    assert status()["steady"].state == "gone"
    assert [d.name for d in forget("steady", "istio")] == ["steady"]
    assert [d.name for d in status()] == ["greeter"]
    with pytest.raises(DeployError, match="no filter is deployed as 'steady'"):
        forget("steady")
    with pytest.raises(DeployError, match="looked after here alone"):
        forget(target="envoy")


def test_an_image_that_breaks_the_policy_is_refused_and_deployed_once_it_is_signed(
    server, where, pushed, tmp_path, monkeypatch
):
    plugin = make("one")
    reference = pushed(plugin)
    private, _ = generate_keys(tmp_path / "team", "secret")
    monkeypatch.setenv("COSIGN_PASSWORD", "secret")
    rules = '[[rule]]\nimage = "*"\nrequire = "signature"\nkeys = ["team.pub"]\n'
    (tmp_path / "policy.toml").write_text(rules)
    monkeypatch.setenv("WASMHUB_POLICY", str(tmp_path / "policy.toml"))
    with pytest.raises(Untrusted, match="not signed"):
        deploy(plugin, "istio", image=reference, **where)
    assert extensions(server, where) == []
    sign(reference, private)
    assert deploy(plugin, "istio", image=reference, **where).state == "applied"


def test_a_module_that_the_proxies_there_cannot_load_is_refused_with_what_they_lack(server, where, pushed):
    container = {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.25.2"}
    server.create(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop-1", "labels": {"app": "shop"}},
         "spec": {"containers": [container], "nodeName": "gone"}}, "pods", where["namespace"],
    )  # fmt: skip
    wanted = '(import "wasi_snapshot_preview1" "fd_readdir" (func (param i32 i32 i32 i64 i32) (result i32)))'
    plain = make("one")
    plugin = plain.replace(module=with_import(wanted))
    reference = pushed(plugin)
    with pytest.raises(DeployError, match=r"cannot load greeter: Envoy 1\.33 does not offer .*fd_readdir"):
        deploy(plugin, "istio", image=reference, labels={"app": "shop"}, **where)
    assert extensions(server, where) == []
    assert deploy(plugin, "istio", image=reference, labels={"app": "other"}, **where).state == "applied"
    assert "none has the labels app=other" in repr(logs("greeter", "istio", **where))
    undeploy("greeter", "istio", **where)
    deploy(plain, "istio", image=pushed(plain, "plain"), labels={"app": "shop"}, **where)
    told = logs("greeter", "istio", **where)  # its node does not answer
    assert len(told) == 0
    assert f"the log of {where['namespace']}/shop-1" in told.notes[0]
    assert "Envoy 1.33) not ready cannot be read" in told.notes[0]


def test_the_client_is_asked_for_where_it_is_missing():
    code = (
        "import sys; sys.modules['lightkube'] = None\n"
        "from wasmhub_magics.deploy.cluster import Cluster\n"
        "from wasmhub_magics.errors import DeployError\n"
        "try: Cluster()\n"
        "except DeployError as error: print(error.do)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'wasmhub-magics[kubernetes]'" in done.stdout
