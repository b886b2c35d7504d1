"""Whose token is this: cheap looks first, one review per token, nothing believed that the review does not say."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from videojob_operator.kube.errors import Unreachable
from videojob_operator.reports.authenticator import Principal, ReportTarget, TokenAuthenticator
from videojob_operator.reports.rejections import ReportRejected

from tests.support.clock import ManualClock
from tests.unit.operator.fakes import RecordingReviewer, metric_value, metrics, token, token_review

SUNSET = ReportTarget("art", "sunset", "uid-1")
HONEST = token(audience=SUNSET.audience)


class Case:
    """Tokens over a reviewer that records, with a clock for the cache and another for expiry."""

    def __init__(self, **review: Any) -> None:
        self.reviewer = RecordingReviewer(
            review.pop("status", None) or token_review(audience=SUNSET.audience, **review)
        )
        self.clock, self.wall, self.metrics = ManualClock(), ManualClock(3000.0), metrics()
        self.tokens = TokenAuthenticator(self.reviewer, self.metrics, clock=self.clock, now=self.wall)

    async def refusal(self, text: str = HONEST, target: ReportTarget = SUNSET) -> ReportRejected:
        with pytest.raises(ReportRejected) as caught:
            await self.tokens.authenticate(text, target)
        return caught.value


def test_the_audience_is_bound_to_one_incarnation() -> None:
    assert SUNSET.audience == "videojobs.dev/status/art/sunset/uid-1"


async def test_a_kubelets_token_gives_the_pod_it_is_bound_to() -> None:
    case = Case()
    assert await case.tokens.authenticate(HONEST, SUNSET) == Principal("art", "default", "sunset-1-x", "pod-1")
    assert case.reviewer.asked == [(HONEST, SUNSET.audience)]


@pytest.mark.parametrize(
    ("text", "reason"),
    {
        "not.a-token": "MalformedToken",
        "": "MalformedToken",
        "a.b.c": "MalformedToken",
        "..": "MalformedToken",
        "a.W10.c": "MalformedToken",  # a payload that is a list
        "head." + "x" * 9000 + ".signature": "MalformedToken",
        token(audience="videojobs.dev/status/art/sunset/uid-0"): "WrongAudience",
        token(audience="https://kubernetes.default.svc"): "WrongAudience",
        token(audience=SUNSET.audience, expires=2999.0): "TokenExpired",
        token(audience=SUNSET.audience, exp="tomorrow"): "TokenExpired",
        token(audience=SUNSET.audience, aud=None): "WrongAudience",
    }.items(),
)
async def test_what_is_not_even_plausible_costs_no_review(text: str, reason: str) -> None:
    case = Case()
    refusal = await case.refusal(text)
    assert (refusal.code, refusal.reason) == (401, reason)
    assert case.reviewer.asked == []


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        ({"error": "the signature is wrong"}, 401, "NotAuthenticated"),
        ({"authenticated": False}, 401, "NotAuthenticated"),
        ({"authenticated": "true"}, 401, "NotAuthenticated"),
        ({"authenticated": True, "user": {"username": "system:serviceaccount:art:default"}}, 401, "WrongAudience"),
        (token_review(audience="another"), 401, "WrongAudience"),
        (token_review(audience=SUNSET.audience, user="jane"), 403, "NotAServiceAccount"),
        (token_review(audience=SUNSET.audience, user="system:serviceaccount:art"), 403, "NotAServiceAccount"),
        (token_review(audience=SUNSET.audience, user="system:serviceaccount:night:default"), 403, "ForeignNamespace"),
        (token_review(audience=SUNSET.audience, pod_uid=""), 403, "NotBoundToAPod"),
        (
            token_review(audience=SUNSET.audience) | {"user": {"username": "system:serviceaccount:art:x"}},
            403,
            "NotBoundToAPod",
        ),
    ],
)
async def test_a_review_must_say_everything(status: dict[str, Any], code: int, reason: str) -> None:
    refusal = await Case(status=status).refusal()
    assert (refusal.code, refusal.reason) == (code, reason)


async def test_a_good_token_is_asked_about_once_a_minute() -> None:
    case = Case()
    for _ in range(6):
        await case.tokens.authenticate(HONEST, SUNSET)
        case.clock.forward(10)
    assert len(case.reviewer.asked) == 1
    await case.tokens.authenticate(HONEST, SUNSET)
    assert len(case.reviewer.asked) == 2


async def test_a_cached_token_ends_with_its_expiry() -> None:
    case = Case()
    short = token(audience=SUNSET.audience, expires=3005.0)
    await case.tokens.authenticate(short, SUNSET)
    case.clock.forward(6)
    case.wall.forward(6)
    assert (await case.refusal(short)).reason == "TokenExpired"


async def test_a_bad_token_is_remembered_for_ten_seconds() -> None:
    case = Case(status={"error": "unknown"})
    for _ in range(5):
        await case.refusal()
    assert len(case.reviewer.asked) == 1
    case.clock.forward(10)
    await case.refusal()
    assert len(case.reviewer.asked) == 2


async def test_unknown_tokens_are_reviewed_at_a_bounded_rate() -> None:
    case = Case(status={"error": "unknown"})
    codes = [(await case.refusal(token(audience=SUNSET.audience, jti=number))).code for number in range(80)]
    assert codes == [401] * 50 + [503] * 30
    assert len(case.reviewer.asked) == 50


async def test_a_known_token_passes_while_reviews_are_exhausted() -> None:
    case = Case()
    await case.tokens.authenticate(HONEST, SUNSET)
    for number in range(60):
        with pytest.raises(ReportRejected) if number >= 49 else nullcontext():
            await case.tokens.authenticate(token(audience=SUNSET.audience, jti=number), SUNSET)
    assert await case.tokens.authenticate(HONEST, SUNSET)


async def test_the_same_token_for_another_job_is_judged_anew() -> None:
    case = Case()
    other = ReportTarget("art", "waves", "uid-2")
    both = token(audience=SUNSET.audience, aud=[SUNSET.audience, other.audience])
    await case.tokens.authenticate(both, SUNSET)
    assert (await case.refusal(both, other)).reason == "WrongAudience"
    assert len(case.reviewer.asked) == 2


async def test_judgements_are_counted_by_result_and_cache() -> None:
    case = Case()
    await case.tokens.authenticate(HONEST, SUNSET)
    await case.tokens.authenticate(HONEST, SUNSET)
    assert metric_value(case.metrics, "videojob_tokenreviews_total", result="accepted", cache="miss") == 1
    assert metric_value(case.metrics, "videojob_tokenreviews_total", result="accepted", cache="hit") == 1


async def test_a_token_that_the_api_server_cannot_review_is_asked_for_again() -> None:
    case = Case()
    case.reviewer.error = Unreachable("POST /apis/authentication.k8s.io/v1/tokenreviews: TimeoutError")
    refusal = await case.refusal()
    assert (refusal.code, refusal.reason, refusal.retry_after) == (503, "ReviewFailed", 2)
    assert refusal.message.startswith("the token could not be reviewed: POST ")
    case.reviewer.error = None
    assert (await case.tokens.authenticate(HONEST, SUNSET)).pod == "sunset-1-x"
