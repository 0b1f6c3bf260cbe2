// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See flame_script.h. A click on a frame makes it as wide as its panel; Search paints the frames whose name holds a word.
 * The script reads names from the hover texts and writes text nodes only: whatever a name holds stays text. Without
 * scripts the two buttons do not show, and the rest works.
 */
#include "flame_script.h"

const char report_flame_style[] =
	"<style>"
	"text{font:12px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#111}"
	".h{font:bold 17px sans-serif}.t{font:bold 14px sans-serif}.n{font:12px sans-serif;fill:#444}"
	".b{font:13px sans-serif;fill:#0b57a4;cursor:pointer;display:none}"
	".b:hover{text-decoration:underline}"
	".f text{pointer-events:none}"
	".f:hover rect{stroke:#000;stroke-width:1}.z{cursor:zoom-in}"
	".m rect{fill:#c77dff}"
	"</style>\n";

const char report_flame_script[] =
	"\n'use strict';\n"
	"(function(){\n"
	"const SIDE=10,FULL=1180,CHAR=7.25;\n"
	"function label(g,x,w){\n"
	" let t=g.querySelector('text');const name=g.name,n=Math.floor((w-4)/CHAR);\n"
	" if(w<5*CHAR){if(t)t.textContent='';return}\n"
	" if(!t){t=document.createElementNS('http://www.w3.org/2000/svg','text');\n"
	"  t.setAttribute('y',+g.rect.getAttribute('y')+13);g.appendChild(t)}\n"
	" t.setAttribute('x',x+3);\n"
	" t.textContent=name.length<=n?name:name.slice(0,n-2)+'..'}\n"
	"function place(g,x,w){\n"
	" g.style.display='';g.rect.setAttribute('x',x);g.rect.setAttribute('width',w);label(g,x,w)}\n"
	"function zoom(panel,to){\n"
	" for(const g of panel.frames){\n"
	"  if(!to){place(g,g.x0,g.w0);continue}\n"
	"  const end=to.x0+to.w0,mid=g.x0+g.w0/2;\n"
	"  if(g.y0<to.y0&&g.x0<=to.x0+.5&&g.x0+g.w0>=end-1)place(g,SIDE,FULL);\n"
	"  else if(g.y0>=to.y0&&mid>=to.x0&&mid<=end)\n"
	"   place(g,SIDE+(g.x0-to.x0)*FULL/to.w0,g.w0*FULL/to.w0);\n"
	"  else g.style.display='none'}}\n"
	"function search(panels){\n"
	" const word=prompt('Functions whose name holds:','');if(word===null)return;\n"
	" let n=0;\n"
	" for(const p of panels)for(const g of p.frames){\n"
	"  const hit=word!==''&&g.name.toLowerCase().includes(word.toLowerCase());\n"
	"  g.classList.toggle('m',hit);n+=hit}\n"
	" document.getElementById('found').textContent=word===''?'':n+' frames hold \\u201c'+word+'\\u201d'}\n"
	"addEventListener('load',function(){\n"
	" const panels=[...document.querySelectorAll('.p')];\n"
	" for(const p of panels){\n"
	"  p.frames=[...p.querySelectorAll('.f')];\n"
	"  for(const g of p.frames){\n"
	"   g.rect=g.querySelector('rect');\n"
	"   g.name=g.querySelector('title').textContent.split('\\n')[0];\n"
	"   g.x0=+g.rect.getAttribute('x');g.w0=+g.rect.getAttribute('width');\n"
	"   g.y0=+g.rect.getAttribute('y');g.classList.add('z');\n"
	"   g.addEventListener('click',function(){zoom(p,g)})}}\n"
	" const reset=document.getElementById('reset'),find=document.getElementById('search');\n"
	" reset.style.display=find.style.display='inline';\n"
	" reset.addEventListener('click',function(){for(const p of panels)zoom(p,null)});\n"
	" find.addEventListener('click',function(){search(panels)})});\n"
	"})();\n";
