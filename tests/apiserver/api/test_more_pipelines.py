"""Rules of more pipelines stay within what the API server lets a resource's validation cost."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import pytest
from videojob_api.crd.render import build_crd
from videojob_api.crd.schema import structural_schema

import devcluster
from devcluster.cluster.kubectl import KubectlError
from tests import corpus
from tests.toy_pipeline import LargerSpec

pytestmark = pytest.mark.apiserver

GROUP = "example.com"
NAME = f"toys.{GROUP}"


@pytest.fixture(scope="module")
def toys(api_server: devcluster.ApiServer) -> Iterator[devcluster.ApiServer]:
    """The API server with a resource whose spec has three pipelines more, and no name in common with the real one."""
    crd = copy.deepcopy(build_crd())
    crd["metadata"]["name"], crd["spec"]["group"] = NAME, GROUP
    crd["spec"]["names"] = {"kind": "Toy", "listKind": "ToyList", "plural": "toys", "singular": "toy"}
    [version] = crd["spec"]["versions"]
    version["schema"]["openAPIV3Schema"]["properties"]["spec"] = structural_schema(LargerSpec)
    api_server.kubectl("apply", "--server-side", "--filename", "-", stdin=json.dumps(crd))
    api_server.kubectl.wait_established(NAME)
    yield api_server
    api_server.kubectl("delete", "crd", NAME)


def toy(pipeline: corpus.Manifest) -> corpus.Manifest:
    return corpus.with_edits(corpus.BASE, {"apiVersion": f"{GROUP}/v1alpha1", "kind": "Toy", "spec.pipeline": pipeline})


def test_a_spec_with_three_pipelines_more_is_taken_and_validated(toys: devcluster.ApiServer) -> None:
    with toys.kubectl.namespace() as namespace:
        toys.kubectl.apply(toy({"pix2pix": {"generate": {}}}), namespace=namespace)
        with pytest.raises(KubectlError, match="exactly one of vqganClip, custom, text2video, pix2pix, neuralSde"):
            toys.kubectl.apply(toy({}), namespace=namespace)
        with pytest.raises(KubectlError, match=r"neuralSde\.train\.dataset: .*must be the path of one of the inputs"):
            toys.kubectl.apply(toy({"neuralSde": {"train": {"dataset": "film"}}}), namespace=namespace)
