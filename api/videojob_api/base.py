"""What every document of ours shares: camelCase on the wire, unknown fields refused, values that never change."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

GROUP = "videojobs.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "VideoJob"
PLURAL = "videojobs"


class Document(BaseModel):
    """Base of all models: strict about names, frozen, camelCase outside and snake_case inside."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class OpenDocument(Document):
    """A message between versions of ourselves: fields a newer sender adds are ignored."""

    model_config = ConfigDict(extra="ignore")
