"""What a user writes with a generated client: create, replace, change and find an article with metadata."""

PYTHON = """
import sys

from vectorpress_client import AuthenticatedClient
from vectorpress_client.api.articles import create_article, patch_article, replace_article
from vectorpress_client.api.search import search_articles
from vectorpress_client.models import ArticlePatch, NewArticle, NewArticleMetadata, SearchRequest, WholeArticle
from vectorpress_client.models import Mode, SearchRequestFilter

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2], raise_on_unexpected_status=True)
metadata = NewArticleMetadata.from_dict({"team": "python", "tags": ["a", 1, None, {"deep": True}]})
made = create_article.sync(client=client, body=NewArticle(title="Python water", content="It runs.", metadata=metadata))
assert made.metadata.additional_properties["tags"][3] == {"deep": True}, made
whole = WholeArticle(title="Python water", content="Water boils.", metadata=metadata)
assert replace_article.sync(made.slug, client=client, body=whole).version_number == 2
assert patch_article.sync(made.slug, client=client, body=ArticlePatch(title="Hot water")).title == "Hot water"
wanted = SearchRequestFilter.from_dict({"team": "python"})
found = search_articles.sync(client=client, body=SearchRequest(query="water", mode=Mode.KEYWORD, filter_=wanted))
assert [each.slug for each in found.results] == [made.slug], found
assert search_articles.sync(client=client, body=SearchRequest(query="water")) is not None
"""

TYPESCRIPT = """
import createClient from "openapi-fetch";
import type { paths } from "./api";

async function main(): Promise<void> {
    const headers = { Authorization: `Bearer ${process.argv[3]}` };
    const client = createClient<paths>({ baseUrl: process.argv[2], headers });
    const metadata = { team: "typescript", tags: ["a", 1, null, { deep: true }] };
    const made = await client.POST("/api/articles", { body: { title: "Script water", content: "It runs.", metadata } });
    if (!made.data) throw new Error(JSON.stringify(made.error));
    const path = { slug: made.data.slug };
    const whole = { title: "Script water", content: "Water boils.", metadata };
    const replaced = await client.PUT("/api/articles/{slug}", { params: { path }, body: whole });
    if (replaced.data?.version_number !== 2) throw new Error(JSON.stringify(replaced.error));
    const changed = await client.PATCH("/api/articles/{slug}", { params: { path }, body: { title: "Hot script" } });
    if (changed.error) throw new Error(changed.error.detail);
    const body = { query: "water", mode: "keyword", filter: { team: "typescript" } } as const;
    const found = await client.POST("/api/search", { body });
    const slugs = found.data?.results.map((each) => each.slug);
    if (slugs?.length !== 1 || slugs[0] !== made.data.slug) throw new Error(JSON.stringify(found));
    const plain = await client.POST("/api/search", { body: { query: "water" } });
    if (!plain.data) throw new Error(JSON.stringify(plain.error));
}

main().catch((error) => { console.error(error); process.exit(1); });
"""

# Off: what a bearer token's scopes are called is no list of the scheme in OpenAPI 3.1, and whom to ask about an
# installation is its operator's to say.
RULES = """
extends: ["spectral:oas"]
rules:
  oas3-operation-security-defined: "off"
  info-contact: "off"
"""
