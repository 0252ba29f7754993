"""The fake provider's settings, by flags at its start and by POST /config while it runs."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

STATUS_FAULTS = {
    "301": "moved_permanently",
    "308": "permanent_redirect",
    "400": "invalid_request",
    "401": "invalid_api_key",
    "402": "payment_required",
    "403": "forbidden",
    "404": "model_not_found",
    "413": "request_too_large",
    "429": "rate_limit_exceeded",
    "500": "server_error",
    "501": "not_implemented",
    "502": "bad_gateway",
    "503": "overloaded",
    "504": "gateway_timeout",
    "520": "unknown_error",
    "522": "connection_timed_out",
    "529": "site_overloaded",
    "memory": "out_of_memory",
    "quota": "insufficient_quota",
}
"""Faults that return an error status: the code in their body. "quota" is OpenAI's 429 for an empty purse, "memory"
Ollama's 500 for a model larger than the memory."""

REPLY_FAULTS = (
    "short",  # one vector is missing
    "reordered",  # another order with right indexes, which the protocol allows
    "scrambled_index",  # an index comes twice, another not at all
    "duplicated",  # one vector comes twice, on top of all of them
    "wrong_width",  # the first vector has one number too few
    "nan",  # the first vector holds a value that is not a number
    "zero",  # the first vector is all zeros
    "html",  # 200 with a page instead of JSON
    "error_200",  # 200 with an error in place of vectors
    "drip",  # the body takes hang_s to arrive, piece by piece
    "huge",  # the body is filled up to huge_mb
    "cut",  # the connection closes in the middle of the body
)
"""Faults that return 200 with an invalid body."""

FAULTS = (*STATUS_FAULTS, "hang", *REPLY_FAULTS)


class SettingsError(ValueError):
    """An unknown setting or an invalid value, as a sentence."""


def _as_text(value: Any) -> Any:
    return format(value, "g") if isinstance(value, int | float) and not isinstance(value, bool) else value


Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^[^\r\n]*$")]


class Settings(BaseModel):
    """Everything adjustable, in force from the next request on; each field is also a flag of the command."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    dimensions: int = Field(
        default=384, ge=1, le=16_000, description="width of the vectors unless a request asks otherwise"
    )
    vectors: Literal["words", "pool"] = Field(
        default="words",
        description="words: texts that share words are near; pool: 4,096 fixed vectors, the cheapest",
    )
    latency_ms: float = Field(default=0, ge=0, description="delay of every reply")
    per_text_ms: float = Field(default=0, ge=0, description="further delay for each text in the request")
    one_by_one: bool = Field(
        default=False, description="serialize requests, also those whose client has left"
    )
    rate_429: Share = Field(default=0, description="share of requests that get 429")
    rate_500: Share = Field(default=0, description="share of requests that get 500")
    rate_hang: Share = Field(default=0, description="share of requests that hang for hang_s, then get 504")
    retry_after: Text = Field(
        default="1", description="the Retry-After of 429 and 503: seconds, a date, '' for none"
    )
    hang_s: float = Field(default=120, ge=0, description="duration of a hang, and of a dripping reply")
    poison: str = Field(default="", description="a request with a text that contains this gets poison_status")
    poison_status: int = Field(default=400, ge=400, le=599, description="the status of a poisoned request")
    deadly: str = Field(
        default="",
        description="a text that contains this crashes the server: no reply, then 503 for down_requests",
    )
    deadly_tokens: int = Field(default=0, ge=0, description="a longer text crashes it likewise; 0: none does")
    down_requests: int = Field(default=2, ge=1, description="how many other requests a deadly text fails")
    fail_next: tuple[str, ...] = Field(
        default=(), description=f"faults for the next requests in turn: {', '.join(FAULTS)}"
    )
    no_base64: bool = Field(default=False, description="return floats whatever encoding_format says")
    refuse_fields: tuple[str, ...] = Field(
        default=(),
        description="fields of a request that get refusal_status, such as dimensions,encoding_format",
    )
    ignore_dimensions: bool = Field(
        default=False, description="vectors of one width, whatever a request asks"
    )
    string_input: bool = Field(default=False, description="refuse a list as input")
    refusal_status: int = Field(
        default=400, ge=400, le=599, description="the status for refused fields, sizes and lists"
    )
    vague: bool = Field(default=False, description="refusals name no reason")
    cut_too_long: bool = Field(default=False, description="a text that is too long gets half a reply")
    index: Literal["number", "null", "string", "float", "missing"] = Field(
        default="number", description="how a reply numbers its vectors"
    )
    nested: bool = Field(default=False, description="vectors one list deeper")
    gzip: bool = Field(default=False, description="pack every reply, whatever a request accepts")
    api_version: Text = Field(
        default="", description="the api-version that a request's query must name, else 404"
    )
    required_header: Text = Field(
        default="", description="name=value of a header without which a request gets 401"
    )
    error_200_elsewhere: bool = Field(
        default=False, description="200 with an error for paths that are not there"
    )
    no_usage: bool = Field(default=False, description="leave `usage` out")
    max_inputs: int = Field(default=2_048, ge=1, description="texts per request")
    max_tokens_per_request: int = Field(
        default=300_000, ge=1, description="tokens per request (4 characters are a token)"
    )
    max_tokens_per_text: int = Field(default=8_192, ge=1, description="tokens per text")
    huge_mb: int = Field(default=256, ge=1, le=4_096, description="size of a huge reply")
    seed: int = Field(default=1, description="of the random choices")

    @field_validator("refuse_fields")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not all(names):
            raise ValueError("a field has no name")
        return names

    @field_validator("fail_next")
    @classmethod
    def _known_faults(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in FAULTS]
        if unknown:
            raise ValueError(f"there is no fault {unknown[0]!r}; there are {', '.join(FAULTS)}")
        return names

    def changed(self, changes: dict[str, Any]) -> Self:
        """These settings with `changes`; raises SettingsError and changes nothing if one of them is unusable."""
        try:
            return type(self).model_validate({**self.model_dump(), **changes})
        except ValidationError as error:
            raise SettingsError(" ".join(map(_sentence, error.errors()))) from None


def _sentence(error: Any) -> str:
    name = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"There is no setting {name!r}; there are {', '.join(Settings.model_fields)}."
    message = error["msg"].removeprefix("Value error, ")
    return f"{name} cannot be {error['input']!r}: {message[:1].lower()}{message[1:]}."
