from django import template
from django.contrib.humanize.templatetags.humanize import intcomma, intword

register = template.Library()
LONGEST_IN_DIGITS = 10**9


@register.filter
def amount(count: int) -> str:
    """65,536, but 18.4 quintillion: nobody counts the addresses of an IPv6 network."""
    return str(intcomma(count) if count < LONGEST_IN_DIGITS else intword(count))
